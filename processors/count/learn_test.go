package count_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/count"
)

// school is a codec of the messages that the world produces, which must learn to read
// amounts first, each hundred of them by itself.
type school struct {
	json codecs.Codec

	mu      sync.Mutex
	away    bool
	known   map[int]bool
	learned int
}

var errAway = errors.New("the registry is away")

func (s *school) Name() string  { return "school" }
func (s *school) Basis() string { return audit.BasisPayload }

// lesson is what is to be known of a message, -1 if nothing.
func (s *school) lesson(m *codecs.Message) int {
	_, amount, ok := bytes.Cut(m.Value, []byte(`"amount":`))
	if !ok {
		return -1
	}
	n, err := strconv.Atoi(string(bytes.TrimSuffix(amount, []byte("}"))))
	if err != nil {
		panic(err)
	}
	return n / 100
}

func (s *school) EventTime(m *codecs.Message) (int64, codecs.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.lesson(m); n < 0 {
		return 0, codecs.None
	} else if !s.known[n] {
		return 0, codecs.Unready
	}
	return s.json.EventTime(m)
}

func (s *school) Learn(_ context.Context, m *codecs.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return errAway
	}
	s.learned++
	s.known[s.lesson(m)] = true
	return nil
}

func (s *school) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = false
}

// While a registry is away nothing is counted that depends on it, health says so, and
// a stop does not wait for it. When it is back, everything is counted once.
func TestASourceWaitsForWhatItsCodecHasToLearn(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, w *world) {
		json, err := codecs.JSON(codecs.Rule{})
		must(t, err)
		pupil := &school{json: json, away: true, known: map[int]bool{3: true}}
		with := func(o *count.Options) {
			b := codecs.Builders{"school": {Build: func(codecs.Rule, *codecs.Env) (codecs.Codec, error) { return pupil, nil }}}
			o.Codecs, err = codecs.NewSelector([]codecs.Rule{{Topics: ".*", Codecs: []string{"school"}}}, b, nil, codecs.Bounds{})
			must(t, err)
		}
		orders, other := w.prefix+"orders", w.prefix+"other"
		must(t, c.CreateTopic(t.Context(), orders, 2, nil))
		w.produce(orders, 0, 2000)
		w.produce(orders, 1, 2000)

		i := w.start(with)
		w.await("health to say what is waited for", func() bool {
			list, _ := i.health.Reports()
			for _, r := range list {
				if r.Part == "count sources" && r.State == health.Degraded && strings.Contains(r.Reason, errAway.Error()) && strings.Contains(r.Reason, "codec school") {
					return true
				}
			}
			return false
		})
		for k, said := range w.said() {
			if want := w.truth[k]; said.count > want.count || said.noTime > want.noTime {
				t.Errorf("%+v: %+v is said of %+v", k, said, want)
			}
		}
		begin := time.Now()
		must(t, i.stop())
		if took := time.Since(begin); took > 8*time.Second {
			t.Errorf("the stop took %s", took)
		}
		i.balanced(t, true)

		w.instance(with)
		pupil.open()
		w.agree()
		must(t, c.CreateTopic(t.Context(), other, 1, nil))
		w.connect()
		w.produce(other, 0, 300)
		w.produce(orders, 1, 300)
		w.agree()
		if pupil.learned < 9 {
			t.Errorf("%d lessons were learnt", pupil.learned)
		}
	})
}
