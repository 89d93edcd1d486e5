package auditkafkago_test

import (
	"context"
	"log"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditkafkago"
)

func Example() {
	brokers := []string{"kafka-1:9092"}
	reporter, err := auditkafkago.NewReporter(brokers, nil, "chaperone-audit")
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

	writer := auditkafkago.NewWriter(&kafka.Writer{Addr: kafka.TCP(brokers...), Topic: "orders", RequiredAcks: kafka.RequireAll}, recorder)
	defer writer.Close()
	if err := writer.WriteMessages(context.Background(), kafka.Message{Value: []byte("one coffee")}); err != nil {
		log.Print(err)
	}
}
