// Package kafkatest brings up Kafka for tests and for trying things out: Apache
// Kafka itself, from cached jars, without Docker, and the embedded broker beside
// it behind the same type, so that one suite runs on both.
//
// A [Cluster] is one broker that is a cluster of its own. In a test:
//
//	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) { ... }) // subtests "kfake" and "apache"
//	c := kafkatest.Shared(t)                                            // one Apache Kafka per test process
//	two := kafkatest.Apache(t, 2)                                       // own ones, in parallel
//
// and in a program [Start]. -short skips Apache Kafka.
//
// Apache Kafka needs a Java runtime (17 or later) and Maven. Its jars are
// fetched once into $CHAPERONE_CACHE, or the user's cache folder, and shared by
// all processes. Everything listens on loopback, on free ports, with data in a
// folder of its own.
//
// Nothing outlives the process that started it, whatever kills that: between
// the two stands a watchdog, this same program started again, which holds a
// pipe from it. See watchdog.go.
package kafkatest
