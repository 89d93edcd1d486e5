// Package auditsarama counts the messages that a program sends and consumes with
// sarama. Two lines make a producer count:
//
//	recorder, err := audit.NewRecorder(audit.Options{Tier: "orders-api", Reporter: reporter})
//	producer = auditsarama.Producer(producer, recorder)
//
// [NewAsyncProducer] is for asynchronous producers, [Handler] for consumer groups,
// and [NewReporter] makes the reporter.
//
// # What counts
//
// An attempt is a message that the program hands over. It becomes a success when the
// broker acknowledges it, a failure when sarama gives it up; what sarama does in
// between, such as to send it again, counts nothing. In a transaction too a success is
// an acknowledged message, whether or not the transaction is committed.
//
// In a consumer an attempt is a message that the program receives from its claim, a
// success one that it marks as consumed.
//
// # What is changed
//
// A message gets a header that says its event time, before it is sent and unless it
// has one; a program that sends the same message again thus says the same time. Headers
// need a Config.Version of 0.11 or later. Keys and values are what they were. An
// Encoder other than sarama's own is asked once, so that what is counted is what is
// sent, and is in the message again when that comes back.
package auditsarama
