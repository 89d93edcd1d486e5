package auditfranz_test

import (
	"context"
	"log"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditfranz"
)

func Example() {
	brokers := kgo.SeedBrokers("kafka-1:9092")
	reporter, err := auditfranz.NewReporter("chaperone-audit", brokers)
	if err != nil {
		log.Fatal(err)
	}
	defer reporter.Close()
	recorder, err := audit.NewRecorder(audit.Options{Tier: "billing", Reporter: reporter})
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

	client, err := kgo.NewClient(brokers, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), auditfranz.Hooks(recorder))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			bill := kgo.StringRecord("a bill for " + string(rec.Value))
			bill.Topic = "bills"
			if err := client.ProduceSync(context.Background(), bill).FirstErr(); err != nil {
				log.Print(err)
				return
			}
			auditfranz.Processed(recorder, rec)
		})
	}
}
