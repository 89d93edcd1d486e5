// Package kafkatest brings up Kafka for tests and for trying things out: Apache
// Kafka itself, from cached jars, without Docker, and the embedded broker beside
// it behind the same type, so that one suite runs on both. And it does to it what
// a test of nerves needs.
//
// A [Cluster] is one broker that is a cluster of its own, or several. In a test:
//
//	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) { ... }) // subtests "kfake" and "apache"
//	c := kafkatest.Shared(t)                                            // one Apache Kafka per test process
//	c := kafkatest.Three(t)                                             // one of three nodes, proxied
//	two := kafkatest.Apache(t, 2)                                       // own ones, in parallel
//
// and in a program [Start]. -short skips Apache Kafka. What can be done:
//
//	c.Node(1).Kill()                          // Stop, Pause, Resume; Start brings it back
//	c.MoveLeader(ctx, "orders", 0, 2)         // Leader, WaitInSync
//	c.ElectUnclean(ctx, "orders", 0, write)   // what write writes is acknowledged, and lost
//	c.Network().HalfOpen()                    // Cut, Slow, Limit; Heal; for clients of ProxiedBrokers
//	c.CompactHard(ctx, "orders")              // SetTopicConfig, DeleteRecords
//	c.HangingTransaction(ctx, "orders", 0, 1) // that has written to partition 1
//
// The embedded broker is one node, which can be stopped and cut off, but neither
// paused nor led against.
//
// Apache Kafka needs a Java runtime (17 or later) and Maven. Its jars are
// fetched once into $CHAPERONE_CACHE, or the user's cache folder, and shared by
// all processes. Everything listens on loopback, on free ports, with data in
// folders of its own.
//
// Nothing outlives the process that started it, whatever kills that: between
// the two stands a watchdog for each broker, this same program started again,
// which holds a pipe from it. See watchdog.go.
package kafkatest
