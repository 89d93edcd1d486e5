// Package auditconfluent counts the messages that a program sends and consumes with
// confluent-kafka-go. Two lines make a producer count:
//
//	recorder, err := audit.NewRecorder(audit.Options{Tier: "orders-api", Reporter: reporter})
//	producer, err := auditconfluent.NewProducer(&kafka.ConfigMap{...}, recorder)
//
// [NewConsumer] does the same for a consumer, and [NewReporter] makes the reporter.
//
// # What counts
//
// An attempt is a message given to Produce. Its delivery report makes it a success or a
// failure, as does an error of Produce; what librdkafka does in between, such as to send
// it again, counts nothing. A message without a report, because the producer was closed
// before, is unknown: Flush first. In a transaction too a success is an acknowledged
// message, whether or not the transaction is committed.
//
// In a consumer an attempt is a message that Poll or ReadMessage returns, a success one
// whose offset is committed or stored by the program, with all earlier ones of its
// partition, as Kafka understands it. A program that leaves that to enable.auto.commit
// and enable.auto.offset.store, which are the defaults, says what it has processed by
// Consumer.Processed. The deprecated channel of a consumer is not counted.
//
// # What is changed
//
// A message that is sent gets a header that says its event time, unless it has one. The
// program's own message is left as it is. The header makes what is sent some 30 bytes
// longer: a message just below message.max.bytes or the topic's limit may be refused for it.
package auditconfluent
