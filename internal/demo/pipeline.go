package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditfranz"
	"github.com/chaperone-audit/chaperone/examples/proxy/proxy"
)

// A pipeline is all that messages pass and that is no part of chaperone.
type pipeline struct {
	apps      []*applications
	recorders []*audit.Recorder
	servers   []*http.Server
	closers   []func()
	copiers   sync.WaitGroup
	cancel    context.CancelFunc
}

// partitions of each topic, on all clusters.
const partitions = 3

func startPipeline(ctx context.Context, a *app.App, regions []region, truths *truths) (p *pipeline, err error) {
	ctx, cancel := context.WithCancel(ctx)
	p = &pipeline{cancel: cancel}
	defer func() {
		if err != nil {
			_ = p.stop()
		}
	}()
	if err := makeTopics(ctx, a.Brokers()); err != nil {
		return p, err
	}
	for i, r := range regions {
		if err := makeTopics(ctx, r.brokers); err != nil {
			return p, err
		}
		url, err := p.startProxy(a, r, truths)
		if err != nil {
			return p, err
		}
		// Applications need no way to Kafka to be counted.
		recorder, err := p.recorder(audit.Options{Tier: tierClient, Datacenter: r.name, Reporter: audit.HTTP("http://"+a.Addr(), audit.HTTPOptions{})})
		if err != nil {
			return p, err
		}
		p.apps = append(p.apps, &applications{name: r.name, url: url, recorder: recorder, faults: &fault, truth: truths, client: &http.Client{Timeout: time.Minute},
			rng: rand.New(rand.NewPCG(*seed, uint64(10+i)))})
		if *real {
			continue // MirrorMaker 2 copies
		}
		c, err := newCopier(r.brokers, a.Brokers(), &fault, truths)
		if err != nil {
			return p, err
		}
		p.closers = append(p.closers, c.close)
		p.copiers.Go(func() {
			if err := c.run(ctx); err != nil {
				truths.problem(err)
			}
		})
	}
	return p, nil
}

func (p *pipeline) recorder(o audit.Options) (*audit.Recorder, error) {
	o.Every, o.Window = 2*time.Second, windowSize // so that nobody has to wait
	o.OnError = func(err error) { fmt.Fprintln(os.Stderr, "demo:", err) }
	r, err := audit.NewRecorder(o)
	if err == nil {
		p.recorders = append(p.recorders, r)
	}
	return r, err
}

// startProxy runs the proxy of a region.
func (p *pipeline) startProxy(a *app.App, r region, truths *truths) (url string, err error) {
	reporter, err := auditfranz.NewReporter(string(a.Topology().AuditTopic()), kgo.SeedBrokers(a.Brokers()...))
	if err != nil {
		return "", err
	}
	p.closers = append(p.closers, func() { reporter.Close() })
	recorder, err := p.recorder(audit.Options{Tier: tierServer, Datacenter: r.name, Reporter: reporter})
	if err != nil {
		return "", err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return "", err
	}
	p.closers = append(p.closers, client.Close)
	send := func(ctx context.Context, m *kgo.Record) error {
		at := eventTime(m)
		f := fault.pass(hopProxy, m.Topic, at)
		if f.alter {
			m.Value = altered(m.Value)
		}
		time.Sleep(f.delay)
		for range f.copies {
			copied := *m
			if err := client.ProduceSync(ctx, &copied).FirstErr(); err != nil {
				return err
			}
			truths.add(tierRegional, m.Topic, at)
			if *real { // MirrorMaker 2 is to bring it there
				truths.add(tierAggregate, m.Topic, at)
			}
		}
		truths.add(tierServer, m.Topic, at)
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: proxy.New(recorder, send), ReadHeaderTimeout: 10 * time.Second}
	p.servers = append(p.servers, s)
	go func() { _ = s.Serve(l) }() // it ends by Shutdown
	return "http://" + l.Addr().String(), nil
}

// send lets all applications send for a while.
func (p *pipeline) send(ctx context.Context, rate float64, burst time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, burst)
	defer cancel()
	var wg sync.WaitGroup
	for _, a := range p.apps {
		wg.Go(func() { a.run(ctx, rate/float64(len(p.apps))) })
	}
	wg.Wait()
}

// stop ends it, those who send first, and lets recorders say goodbye.
func (p *pipeline) stop() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, s := range p.servers {
		err = errors.Join(err, s.Shutdown(ctx))
	}
	for _, r := range p.recorders {
		err = errors.Join(err, r.Close(ctx))
	}
	p.cancel()
	p.copiers.Wait()
	for _, f := range p.closers {
		f()
	}
	return err
}
