package auditconfluent_test

import (
	"context"
	"log"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditconfluent"
)

func Example() {
	brokers := &kafka.ConfigMap{"bootstrap.servers": "kafka-1:9092"}
	reporter, err := auditconfluent.NewReporter(brokers, "chaperone-audit")
	if err != nil {
		log.Fatal(err)
	}
	defer reporter.Close()
	recorder, err := audit.NewRecorder(audit.Options{Tier: "orders-api", Reporter: reporter})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { // when all that counts has ended
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := recorder.Close(ctx); err != nil {
			log.Print(err)
		}
	}()

	producer, err := auditconfluent.NewProducer(brokers, recorder)
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close()
	topic, delivered := "orders", make(chan kafka.Event, 1)
	if err := producer.Produce(&kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
		Value:          []byte("one coffee"),
	}, delivered); err != nil {
		log.Fatal(err)
	}
	if m := (<-delivered).(*kafka.Message); m.TopicPartition.Error != nil {
		log.Print(m.TopicPartition.Error)
	}
}
