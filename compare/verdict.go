package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Verdict is what is known of a window of a topic. It is a function of the audit
// topic's partition up to an offset, its Version, and of the configuration, whose
// Digest it has. Of several about one window the one with the highest Version counts.
type Verdict struct {
	Topic    string    `json:"topic"`
	Start    int64     `json:"start"` // of the window, Unix seconds
	Size     int64     `json:"size"`  // of the window, seconds
	Pipeline string    `json:"pipeline"`
	State    State     `json:"state"`
	Kind     Kind      `json:"verdict"` // the gravest finding that is not explained
	Findings []Finding `json:"findings,omitempty"`
	Tiers    []Count   `json:"tiers"` // in the order of the pipeline

	Judged  int64  `json:"judgedAt"`          // by the audit topic's time, Unix milliseconds
	Final   int64  `json:"finalAt,omitempty"` // when it was final for the first time, likewise; 0: it is not
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
	// AtFinal is, of an amended window, how many messages each tier had when it was
	// final, by name.
	AtFinal map[string]uint64 `json:"atFinal,omitempty"`

	// whole is what Decode has read, if there is more in it than this program knows.
	whole []byte
}

// A Count is what a tier has counted in a window, over all its sources.
type Count struct {
	Tier        string `json:"tier"`
	Messages    uint64 `json:"messages"`
	Bytes       uint64 `json:"bytes"`
	NoTime      uint64 `json:"noTime,omitempty"`
	Malformed   uint64 `json:"malformed,omitempty"`
	OutOfBounds uint64 `json:"outOfBounds,omitempty"`
	Attempts    uint64 `json:"attempts,omitempty"` // of application instances: sent, or begun
	Failures    uint64 `json:"failures,omitempty"` // ... and refused
	Sources     int    `json:"sources"`            // that have counted something in the window
	Counted     bool   `json:"counted"`            // every source has been counted past the window and its grace
	// Fingerprint is the sum of message hashes, in decimal; empty where a source keeps none.
	Fingerprint string       `json:"fingerprint,omitempty"`
	Latency     *Percentiles `json:"latency,omitempty"` // up to the record timestamp; nil: none was measured
	Arrival     *Percentiles `json:"arrival,omitempty"` // up to the moment of counting, likewise
	Datacenters []Datacenter `json:"datacenters,omitempty"`
}

// A Datacenter is the part that a datacenter has in a tier's Count.
type Datacenter struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
}

// Percentiles of a latency, in milliseconds, off by at most 1 %; Max is exact.
// Negative latencies, of clocks that disagree, are counted apart.
type Percentiles struct {
	Count       uint64  `json:"count"`
	P50         float64 `json:"p50"`
	P95         float64 `json:"p95"`
	P99         float64 `json:"p99"`
	Max         int64   `json:"max"`
	Negative    uint64  `json:"negative,omitempty"`
	NegativeMax int64   `json:"negativeMax,omitempty"`
}

// PercentilesOf a distribution; nil where nothing was measured. They are those of
// audit.Latency.Quantile, found in one pass.
func PercentilesOf(l *audit.Latency) *Percentiles {
	n := l.Count()
	if n == 0 && l.Negative == 0 {
		return nil
	}
	p := &Percentiles{Count: n, Max: l.Max, Negative: l.Negative, NegativeMax: l.NegativeMax}
	wanted := []struct {
		rank uint64
		to   *float64
	}{{rank(0.5, n), &p.P50}, {rank(0.95, n), &p.P95}, {rank(0.99, n), &p.P99}}
	var seen uint64
	for bin, k := range l.Bins.All() {
		for seen += k; len(wanted) > 0 && seen >= wanted[0].rank; wanted = wanted[1:] {
			*wanted[0].to = min(audit.BinValue(bin), float64(l.Max))
		}
		if len(wanted) == 0 {
			break
		}
	}
	return p
}

func rank(q float64, n uint64) uint64 { return uint64(math.Ceil(q * float64(n))) }

// A Finding is one thing that was found out about a window, with its number.
type Finding struct {
	Kind   Kind   `json:"kind"`
	Reason Reason `json:"reason,omitempty"`
	// From and To are the tiers between which it was found; From is empty where it is
	// about one tier alone.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Messages is how many it is about: exactly, or as Bound says.
	Messages uint64 `json:"messages"`
	Bound    Bound  `json:"bound,omitempty"`
	// Explained says that it is known and honest: it makes no verdict.
	Explained bool `json:"explained,omitempty"`
	// Places are where, by datacenter, cluster, partition or instance, if the tiers can
	// tell; the most messages first, at most MostPlaces.
	Places []Place `json:"places,omitempty"`
	// IDs name the messages: see Identify. There are none if they are too many.
	IDs []MessageID `json:"ids,omitempty"`
	// Detail says what else there is to know, such as the rule that explains it.
	Detail string `json:"detail,omitempty"`
}

// A Bound says how a number of messages is to be read.
type Bound string

// The bounds.
const (
	Exactly   Bound = ""
	AtLeast   Bound = "at_least"
	AtMost    Bound = "at_most"
	Unbounded Bound = "unbounded" // nobody knows how many
)

// MostPlaces bounds the places of a finding.
const MostPlaces = 20

// A Place is where something was found, as far as it is known.
type Place struct {
	Datacenter string `json:"datacenter,omitempty"`
	Cluster    string `json:"cluster,omitempty"`
	Partition  *int32 `json:"partition,omitempty"`
	Instance   string `json:"instance,omitempty"`
	Messages   uint64 `json:"messages,omitempty"`
	// First and Last are the offsets between which the source of the tier that is short
	// has counted the window, or the range that cannot be counted; both -1: not known.
	First int64 `json:"firstOffset"`
	Last  int64 `json:"lastOffset"`
}

func (p *Place) String() string {
	var s []string
	for _, part := range []string{p.Datacenter, p.Cluster, p.Instance} {
		if part != "" {
			s = append(s, part)
		}
	}
	if p.Partition != nil {
		s = append(s, "partition "+strconv.Itoa(int(*p.Partition)))
	}
	if len(s) == 0 {
		return "somewhere"
	}
	return strings.Join(s, " ")
}

// kind of what is on the verdicts topic.
const (
	kindVerdict  = "verdict"
	kindStanding = "standing"
)

// Key of a verdict on the verdicts topic and in the collect table, without the owner:
// topic/-/verdict/start/size.
func (v *Verdict) Key() string { return key(v.Topic, kindVerdict, v.Start, v.Size) }

func key(topic, kind string, numbers ...int64) string {
	r := audit.Record{Kind: audit.Kind(kind), Identity: audit.Identity{Topic: topic}}
	prefix, _, _ := strings.Cut(r.Key(), "/"+kind+"/")
	for _, n := range numbers {
		kind += "/" + strconv.FormatInt(n, 10)
	}
	return prefix + "/" + kind
}

// Window is the one that the verdict is about.
func (v *Verdict) Window() audit.Window { return audit.Window{Start: v.Start, Size: v.Size} }

// Encode gives the JSON that Decode reads. Of a verdict that Decode has read it gives what
// a newer program has said besides, too; such a one must not be changed.
func (v *Verdict) Encode() ([]byte, error) {
	if v.whole != nil {
		return bytes.Clone(v.whole), nil
	}
	type plain Verdict
	return json.Marshal(struct {
		Record string `json:"record"`
		*plain
	}{kindVerdict, (*plain)(v)})
}

// Decode reads what stands on the verdicts topic: a *Verdict, a *Standing, or neither
// if it is of a kind that this program does not know.
func Decode(b []byte) (v *Verdict, s *Standing, err error) {
	var head struct {
		Record string `json:"record"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, nil, fmt.Errorf("verdict: not JSON: %w", err)
	}
	switch head.Record {
	case kindVerdict:
		if v, err = decodeVerdict(b); err != nil {
			return nil, nil, fmt.Errorf("verdict: %w", err)
		}
		if v.Topic == "" || v.Size <= 0 {
			return nil, nil, errors.New("verdict: it has no topic or no window")
		}
	case kindStanding:
		s = &Standing{}
		if err := json.Unmarshal(b, s); err != nil {
			return nil, nil, fmt.Errorf("standing: %w", err)
		}
		if s.Topic == "" {
			return nil, nil, errors.New("standing: it has no topic")
		}
	}
	return v, s, nil
}

// decodeVerdict keeps all of it where there are fields, at any depth, that this program
// does not know: whoever only carries it on must not take them away.
func decodeVerdict(b []byte) (*Verdict, error) {
	type plain Verdict
	var known struct {
		Record string `json:"record"`
		plain
	}
	strict := json.NewDecoder(bytes.NewReader(b))
	strict.DisallowUnknownFields()
	if strict.Decode(&known) == nil {
		v := Verdict(known.plain)
		return &v, nil
	}
	v := &Verdict{}
	if err := json.Unmarshal(b, v); err != nil {
		return nil, err
	}
	v.whole = bytes.Clone(b)
	return v, nil
}

// Ratio is how much of what went in came out, from 0 to 1: the least over the pairs of
// tiers. What is late because it has not come to a tier yet has not come out. A window in which
// nothing was counted has a ratio of 1.
func (v *Verdict) Ratio() float64 {
	least := 1.0
	for i := range v.Findings {
		f := &v.Findings[i]
		lacks := f.Kind == Missing || f.Kind == Altered || f.Kind == Late && (f.Reason == Behind || f.Reason == Underway)
		if from := v.count(f.From); lacks && !f.Explained && from > 0 {
			least = min(least, max(0, 1-float64(f.Messages)/float64(from)))
		}
	}
	return least
}

func (v *Verdict) count(tier string) uint64 {
	for i := range v.Tiers {
		if v.Tiers[i].Tier == tier {
			return v.Tiers[i].Messages
		}
	}
	return 0
}
