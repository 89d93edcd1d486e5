// Command proxy is an example of a program that counts what passes it: it takes messages
// by HTTP, brings them to Kafka, and tells chaperone how many.
//
//	go run ./examples/proxy -brokers localhost:9092
//	curl -H 'Message-Key: u1' -d '{"text":"hello"}' http://localhost:8080/topics/orders
//
// Each flag can also be set in the environment, PROXY_ and its name in capitals.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditfranz"
	"github.com/chaperone-audit/chaperone/examples/proxy/proxy"
)

func main() {
	brokers := flag.String("brokers", env("brokers", "localhost:9092"), "of the Kafka cluster to send to, `host:port,...`")
	auditBrokers := flag.String("audit-brokers", env("audit-brokers", ""), "of chaperone's audit cluster (default: the same)")
	auditTopic := flag.String("audit-topic", env("audit-topic", "chaperone-audit"), "topic of the audit")
	addr := flag.String("addr", env("addr", ":8080"), "to listen on")
	tier := flag.String("tier", env("tier", "proxy-server"), "the point of the pipeline that this is")
	datacenter := flag.String("datacenter", env("datacenter", ""), "where it is")
	flag.Parse()
	if *auditBrokers == "" {
		*auditBrokers = *brokers
	}
	if err := run(*addr, strings.Split(*brokers, ","), strings.Split(*auditBrokers, ","), *auditTopic, *tier, *datacenter); err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

func env(name, otherwise string) string {
	if v := os.Getenv("PROXY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))); v != "" {
		return v
	}
	return otherwise
}

func run(addr string, brokers, auditBrokers []string, auditTopic, tier, datacenter string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	reporter, err := auditfranz.NewReporter(auditTopic, kgo.SeedBrokers(auditBrokers...))
	if err != nil {
		return err
	}
	defer reporter.Close()
	recorder, err := audit.NewRecorder(audit.Options{
		Tier: tier, Datacenter: datacenter, Reporter: reporter,
		OnError: func(err error) { fmt.Fprintln(os.Stderr, "proxy:", err) },
	})
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()

	server := &http.Server{Addr: addr, ReadHeaderTimeout: 10 * time.Second, Handler: proxy.New(recorder, func(ctx context.Context, r *kgo.Record) error {
		return client.ProduceSync(ctx, r).FirstErr()
	})}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	fmt.Fprintf(os.Stderr, "proxy: messages by POST to http://%s/topics/{topic}, counted as %s\n", addr, recorder.Instance())
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = nil
	}

	// In this order: nobody counts any more, then all of it is reported.
	ending, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(ending), recorder.Close(ending))
}
