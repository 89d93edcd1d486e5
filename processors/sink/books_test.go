package sink

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/sinks"
)

func TestBooksOfAPosition(t *testing.T) {
	for name, c := range map[string]struct {
		ended     endings
		submitted uint64
		before    int64
		want      string // part of the error, empty for none
	}{
		"nothing was read":                     {endings{next: -1}, 0, -1, ""},
		"some are on their way":                {endings{next: 20, written: 4, aside: 1}, 9, 40, ""},
		"some are none of the store's":         {endings{next: 40, written: 5, skipped: 3, aside: 1}, 9, 40, ""},
		"offsets may have gaps":                {endings{next: 40, written: 8, aside: 1}, 9, 40, ""},
		"a record is lost":                     {endings{next: 40, written: 7, aside: 1}, 9, 40, "9 records were read up to offset 40, all of them are settled, and only 7 are written, 0 skipped and 1 set aside"},
		"a record is said to be written twice": {endings{next: 20, written: 9, aside: 1}, 9, 40, "9 records were read, and 9 written, 0 skipped and 1 set aside"},
		"settled is what was never read":       {endings{next: 41, written: 9}, 9, 40, "settled up to offset 41, and read only up to 40"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.ended.balance(c.submitted, c.before)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("found %v, want %q", err, c.want)
			}
		})
	}
}

// Whatever the store does, each record ends in one way, and the books say how many.
func TestBooksBalanceWhateverTheStoreDoes(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		poison := func(version int64) bool { return version%7 == int64(seed)%7 }
		r := newRig(t, Options{BatchRecords: 1 + rng.IntN(30)}, func(attempt int, batch []*audit.Record) (bool, error) {
			if attempt%4 == 1 {
				return attempt%8 == 1, errors.New("connection reset")
			}
			for _, rec := range batch {
				if poison(rec.Version) {
					return false, fmt.Errorf("column x: %w", sinks.ErrRejected)
				}
			}
			return true, nil
		})
		positions := []*position{newPosition(), newPosition()}
		submitted, last, rejected, malformed := [2]uint64{}, [2]int64{-1, -1}, [2]uint64{}, [2]uint64{}
		for n := range int64(150) {
			i := rng.IntN(2)
			it := recordItem{row: numbered(n), offset: n, size: 10, from: positions[i]}
			switch {
			case rng.IntN(10) == 0:
				it.end = setAside
				malformed[i]++
			case poison(n):
				rejected[i]++
			}
			r.in <- it
			submitted[i]++
			last[i] = n + 1
			if err := positions[i].ended().balance(submitted[i], last[i]); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for i, pos := range positions {
			settled(t, pos, last[i])
			want := endings{next: last[i], written: submitted[i] - rejected[i] - malformed[i], aside: rejected[i] + malformed[i]}
			if got := pos.ended(); got != want {
				t.Errorf("seed %d: %+v, want %+v", seed, got, want)
			}
		}
		r.stop()
		<-r.done
	}
}

func TestAnImbalanceIsAnAlarm(t *testing.T) {
	r := &health.Registry{}
	p := New(Options{Topology: processors.DefaultTopology(), Log: slog.New(slog.DiscardHandler), Health: r, Metrics: prometheus.NewRegistry()})
	defer p.books.Close()
	if err := p.imbalance(3, errors.New("9 records were read")); err == nil {
		t.Error("the session does not end, and nothing is read again")
	}
	var v dto.Metric
	if err := p.metrics.imbalances.Write(&v); err != nil || v.GetCounter().GetValue() != 1 {
		t.Errorf("counted %v, %v", v.GetCounter().GetValue(), err)
	}
	list, _ := r.Reports()
	for _, part := range list {
		if part.Part == "sink books" && (part.State != health.Degraded || !strings.Contains(part.Reason, "partition 3 of the audit topic: 9 records were read")) {
			t.Errorf("health says %+v", part)
		}
	}
}
