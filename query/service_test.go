package query_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

// held is a source that answers from records, or fails.
type held struct {
	records []*audit.Record
	err     error
	asked   []string
}

func (h *held) Windows(_ context.Context, q query.Windows) ([]query.Row, error) {
	h.asked = append(h.asked, fmt.Sprintf("[%d,%d)", q.From, q.To))
	if h.err != nil {
		return nil, h.err
	}
	return query.Group(q, slices.Values(h.records)), nil
}

func (h *held) Topics(_ context.Context, from, to int64) ([]query.Topic, error) {
	h.asked = append(h.asked, fmt.Sprintf("[%d,%d)", from, to))
	if h.err != nil {
		return nil, h.err
	}
	return query.GroupTopics(from, to, slices.Values(h.records)), nil
}

func TestService(t *testing.T) {
	away := fmt.Errorf("connection refused: %w", query.ErrUnavailable)
	for _, c := range []struct {
		outcome        string
		from, to       int64
		notReady       bool
		recent, store  error
		nobody         bool // there is no store
		recently, past string
		want           string // starts of the windows, or the error
	}{
		{outcome: "recent windows come from the views", from: 1200, to: 2400, recently: "[1200,2400)", want: "1200 1800"},
		{outcome: "older ones from the store", from: 0, to: 1200, past: "[0,1200)", want: "0 600"},
		{outcome: "a range over the boundary from both", from: 600, to: 1800, recently: "[1200,1800)", past: "[600,1200)", want: "600 1200"},
		{outcome: "an empty range asks nobody", from: 1800, to: 1800, want: ""},
		{outcome: "views that are not ready are not asked", from: 600, to: 1800, notReady: true, past: "[600,1800)", want: "600 1200"},
		{outcome: "views that cease to be ready give way", from: 600, to: 1800, recent: away, recently: "[1200,1800)", past: "[600,1800)", want: "600 1200"},
		{outcome: "recent ranges need no store", from: 1200, to: 1800, store: away, recently: "[1200,1800)", want: "1200"},
		{outcome: "a store that is away is an error, not a shorter answer", from: 600, to: 1800, store: away, recently: "[1200,1800)", past: "[600,1200)",
			want: "ask the store about windows before 1970-01-01T00:20:00Z: connection refused: not available at the moment"},
		{outcome: "no store at all likewise", from: 600, to: 1800, nobody: true, recently: "[1200,1800)",
			want: "ask the store about windows before 1970-01-01T00:20:00Z: no store is configured: not available at the moment"},
		{outcome: "neither views nor store likewise", from: 1200, to: 1800, notReady: true, store: away, past: "[1200,1800)",
			want: "ask the store, since the views are not ready: connection refused: not available at the moment"},
		{outcome: "another error of the views is not hidden", from: 600, to: 1800, recent: errors.New("a defect"), recently: "[1200,1800)",
			want: "ask the views: a defect"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			// Both hold everything, so that a window from the wrong one would be there twice.
			records := []*audit.Record{window(0, 0, 1, 1), window(600, 0, 1, 1), window(1200, 0, 1, 1), window(1800, 0, 1, 1)}
			recent, store := &held{records: records, err: c.recent}, &held{records: records, err: c.store}
			s := &query.Service{Recent: recent, History: store, Boundary: func() (int64, bool) { return 1200, !c.notReady }}
			if c.nobody {
				s.History = nil
			}
			check := func(got string, err error) {
				t.Helper()
				if err != nil {
					got = err.Error()
				}
				if got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if strings.HasSuffix(c.want, "moment") != errors.Is(err, query.ErrUnavailable) {
					t.Errorf("unavailable: %t", errors.Is(err, query.ErrUnavailable))
				}
				if got := strings.Join(recent.asked, " "); got != c.recently {
					t.Errorf("views were asked %q, want %q", got, c.recently)
				}
				if got := strings.Join(store.asked, " "); got != c.past {
					t.Errorf("the store was asked %q, want %q", got, c.past)
				}
			}
			rows, err := s.Windows(context.Background(), query.Windows{Topic: "orders", From: c.from, To: c.to})
			starts := ""
			for _, r := range rows {
				starts += fmt.Sprintf(" %d", r.Start)
			}
			check(strings.TrimSpace(starts), err)

			recent.asked, store.asked = nil, nil
			topics, err := s.Topics(context.Background(), c.from, c.to)
			check(c.want, err)
			if err == nil && c.want != "" && (len(topics) != 1 || topics[0].Messages != uint64(len(rows))) {
				t.Errorf("got topics %v", topics)
			}
		})
	}
}

func TestTopicsOfBothSourcesAreOneList(t *testing.T) {
	change := func(topic, tier, cluster string) func(*audit.Record) {
		return func(r *audit.Record) { r.Topic, r.Tier, r.Cluster = topic, tier, cluster }
	}
	s := &query.Service{
		Recent: &held{records: []*audit.Record{window(1200, 0, 1, 4, change("b", "x", "e")), window(1800, 0, 1, 1, change("c", "x", "e"))}},
		History: &held{records: []*audit.Record{
			window(0, 0, 1, 7, change("a", "x", "e")), window(600, 0, 1, 3, change("b", "a", "w")), window(600, 0, 1, 2, change("b", "x", "e"))}},
		Boundary: func() (int64, bool) { return 1200, true },
	}
	got, err := s.Topics(context.Background(), 0, 2400)
	want := []query.Topic{
		{Name: "a", Tiers: []string{"x"}, Clusters: []string{"e"}, Messages: 7},
		{Name: "b", Tiers: []string{"a", "x"}, Clusters: []string{"e", "w"}, First: 600, Last: 1200, Messages: 9},
		{Name: "c", Tiers: []string{"x"}, Clusters: []string{"e"}, First: 1800, Last: 1800, Messages: 1},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}
