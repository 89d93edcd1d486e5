// Package kafka is the embedded broker: franz-go's kfake, which speaks the real
// protocol (groups, transactions, compaction, console tools), in this process
// and on loopback only. It is for trying out and for tests; a deployment has
// Apache Kafka.
//
// It differs from Apache Kafka in ways that matter to an audit. These are made
// good here: message.timestamp.type=LogAppendTime is honoured (appendtime.go),
// topics made by a client's first question are kept (autocreate.go),
// kafka-topics can create topics with settings (createtopics.go), a group
// without offsets is no error (offsetfetch.go), and a member of a group that
// dies in a rebalance is timed out, while one that waits is not (sessions.go).
// These remain:
//   - Compaction runs once an hour and when the broker starts with a Dir. It
//     minds neither min.compaction.lag.ms nor segments, and it moves the start
//     of the log to the first record that is left.
//   - Any topic setting is accepted; unknown ones do nothing.
//   - A batch of a LogAppendTime topic says CreateTime about its timestamps,
//     which are those of appending all the same.
//   - Offsets committed by a group are safe when Stop returns, or when the
//     process is killed; a machine that loses power may lose the last writes.
package kafka
