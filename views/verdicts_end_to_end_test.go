package views_test

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/collect/judge"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/views"
)

func (d *deployment) judge() (stop func()) {
	plan, err := compare.NewPlan([]compare.Pipeline{{Name: "main", Topics: []string{".*"}, Tiers: []string{"regional"}, Grace: time.Second, LateWithin: time.Hour, GoneAfter: time.Hour}}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	p := collect.New(collect.Options{
		Brokers: d.cluster.Brokers(), Config: d.config, Topology: d.topology, Log: d.log, Health: &health.Registry{}, Metrics: prometheus.NewRegistry(),
		FlushEvery: 50 * time.Millisecond, Judge: judge.Options{Plan: plan},
	})
	return d.run(p.Run)
}

func (d *deployment) verdicts() (v *views.Verdicts, stop func()) {
	v = views.NewVerdicts(views.Options{
		Brokers: d.cluster.Brokers(), Config: d.config, Topology: d.topology, Log: slog.New(slog.DiscardHandler), Health: &health.Registry{}, Metrics: prometheus.NewRegistry(),
	})
	return v, d.run(v.Run)
}

// A window of an hour ago is judged by one session and again by its successor, because
// more was counted in it; views that read from the beginning, and that have followed all
// the time, say the same.
func TestVerdictsAreFollowedAcrossRestarts(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		d := deploy(t, c)
		followed, _ := d.verdicts()
		stop := d.judge()
		sequence := int64(0)
		// say has the window counted up to a version, and those who count speak on, so that
		// the log's time passes.
		say := func(version int64) {
			d.produce(keyed(window("orders", 0, 6, version)))
		}
		speak := func() {
			sequence++
			d.produce(keyed(&audit.Record{
				Kind: audit.KindProgress, Owner: "c1", Host: "h1", Version: sequence,
				Identity: audit.Identity{Tier: "regional", Datacenter: "d", Cluster: "c", Topic: "orders", Partition: audit.NoPartition, Instance: "c1"},
				Progress: &audit.Progress{AskedAfter: sequence - 1, Partitions: 1, Sources: []audit.SourceProgress{{Next: 100, End: 100, HighWatermark: 100, CaughtUp: audit.CaughtUpYes}}},
			}))
		}
		verdict := func(v *views.Verdicts, messages uint64) func() string {
			return func() string {
				speak()
				time.Sleep(100 * time.Millisecond)
				list, err := v.Verdicts(context.Background(), query.Verdicts{Topic: "orders", From: start - 3600, To: start - 3000})
				if err != nil || len(list) != 1 || list[0].Tiers[0].Messages != messages {
					return fmt.Sprintf("the verdicts are %+v, %v", list, err)
				}
				return ""
			}
		}
		say(4)
		d.await(verdict(followed, 5))
		stop()
		say(9)
		d.judge()
		d.await(verdict(followed, 10))
		fresh, _ := d.verdicts()
		d.await(verdict(fresh, 10))
		all := query.Verdicts{From: 0, To: start * 2}
		d.await(func() string {
			a, errA := followed.Judgements(context.Background(), all)
			b, errB := fresh.Judgements(context.Background(), all)
			if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
				return fmt.Sprintf("one has %+v, %v, and the other %+v, %v", a, errA, b, errB)
			}
			return ""
		})
		standings, err := fresh.Standings(t.Context(), "")
		if err != nil || len(standings) != 1 || standings[0].Topic != "orders" || !fresh.Ready() || fresh.AsOf().IsZero() {
			t.Errorf("standings %+v, %v", standings, err)
		}
	})
}
