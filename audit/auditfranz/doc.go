// Package auditfranz counts the messages that a program sends and consumes with
// franz-go. Two lines make a client count:
//
//	recorder, err := audit.NewRecorder(audit.Options{Tier: "orders-api", Reporter: reporter})
//	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), auditfranz.Hooks(recorder))
//
// A consumer has one line more, [Processed], and [NewReporter] makes the reporter.
//
// # What counts
//
// An attempt is a record given to Produce, or to whatever calls it. It becomes a
// success when the broker acknowledges it and a failure when its promise gets an error;
// both are counted before the promise is called, once, however often the client sends
// the record again. In a transaction too a success is an acknowledged record, whether
// or not the transaction is committed.
//
// In a consumer an attempt is a record that a poll returns. Which records have been
// processed the client does not know, for it commits offsets, not records; so the
// program says it, by Processed.
//
// # What is changed
//
// A record gets a header that says its event time, before it is sent and unless it has
// one; a program that produces the same *kgo.Record again thus says the same time.
// The header makes the record some 30 bytes longer: one just below
// kgo.ProducerBatchMaxBytes or the topic's limit may be refused for it.
package auditfranz
