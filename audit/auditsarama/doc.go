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
// need a Config.Version of 0.11 or later. It makes the message some 30 bytes longer: one
// just below Producer.MaxMessageBytes or the topic's limit may be refused for it.
//
// Keys and values are what they were, and sarama's own Encoders, ByteEncoder and
// StringEncoder, are left alone. Another one is asked once, so that what is counted is what
// is sent. While the message is on its way, another Encoder with that answer stands in for
// it, which a Partitioner or an Interceptor that wants the type of the program's can ask:
//
//	if u, ok := msg.Key.(interface{ Unwrap() sarama.Encoder }); ok {
//		key = u.Unwrap()
//	}
//
// The program's own is in the message again when that comes back.
package auditsarama
