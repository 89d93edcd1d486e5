// Package auditkafkago counts the messages that a program sends and consumes with
// segmentio/kafka-go. Two lines make a Writer count:
//
//	recorder, err := audit.NewRecorder(audit.Options{Tier: "orders-api", Reporter: reporter})
//	writer := auditkafkago.NewWriter(&kafka.Writer{...}, recorder)
//
// [NewReader] does the same for a Reader, and [NewReporter] makes the reporter.
//
// # What counts
//
// An attempt is a message given to WriteMessages. It becomes a success or a failure when
// the Writer completes its batch, asynchronous or not, once, however often the Writer
// sends that again; or a failure when WriteMessages refuses it. What is given up by a
// context, before it is in a batch, is neither: it counts as unknown. With RequireNone,
// which is the Writer's default, a success says only that a message was sent.
//
// In a consumer an attempt is a message that FetchMessage or ReadMessage returns, a
// success one that CommitMessages commits, with all earlier ones of its partition, as
// Kafka understands it. ReadMessage in a group commits by itself, before the program has
// seen the message: there it is both at once. Without a group nothing is committed, and
// the program says what it has processed, by Reader.Processed.
//
// The Reader gives null and empty alike as nil, and both count as null. So the
// fingerprint of a topic with empty keys or values differs from that of its producers.
//
// The Reader does not tell when a partition goes to another member of the group. If one
// with messages that are not committed goes and comes back, those may count as processed
// at both.
//
// # What is changed
//
// A message that is sent gets a header that says its event time, unless it has one. The
// program's own slices are left as they are. The header makes the message some 30 bytes
// longer: one just below Writer.BatchBytes or the topic's limit may be refused for it.
package auditkafkago
