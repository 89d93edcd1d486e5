package auditsarama_test

import (
	"context"
	"log"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditsarama"
)

func Example() {
	brokers := []string{"kafka-1:9092"}
	reporter, err := auditsarama.NewReporter(brokers, nil, "chaperone-audit")
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

	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(brokers, config)
	if err != nil {
		log.Fatal(err)
	}
	producer = auditsarama.Producer(producer, recorder)
	defer producer.Close()
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("one coffee")})
	if err != nil {
		log.Print(err)
	}
}
