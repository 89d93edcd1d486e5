package judge

import (
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// A Part is what one identity has counted in a window.
type Part struct {
	window     *window
	tier       *tier
	source     *source // of a partition; nil of an instance
	generation int64
	offset     int64 // of its record
	appended   int64
	compare.Part
	partial bool
}

// take copies from a record what a judgement needs.
func (p *Part) take(r *audit.Record, said Said) {
	t := r.Tally
	p.offset, p.appended = said.Offset, said.Appended
	p.generation, p.partial = r.Generation, t.Partial
	p.Part = compare.Part{
		Datacenter: r.Datacenter, Cluster: r.Cluster, Partition: r.Partition, Instance: r.Instance,
		Sum: compare.SumOf(&t.Tally, t.FingerprintMode), Bytes: t.Bytes, NoTime: t.NoTime, Malformed: t.Malformed, OutOfBounds: t.OutOfBounds,
		First: t.First, Last: t.Last, Latency: &t.Latency, Arrival: t.Arrival, Basis: t.TimeBasis, Digest: t.Digest, Original: r.Original != nil,
	}
	if p.Original {
		p.Sum.Unprinted = true
	}
	if c := r.Client; c != nil {
		p.Attempts, p.Failures = c.Attempts, c.Failures
	}
	if p.tier == nil {
		return
	}
	if same := p.tier.topic.j.o.Digest; same != nil && p.Digest != "" {
		p.Digest = same(r.Topic, p.Digest)
	}
	if r.Partition != audit.NoPartition {
		p.source = p.tier.logsOf(r).source(r.Partition)
		if r.Base > p.source.base {
			*p.source = source{base: r.Base}
		}
	}
}

// counts says whether the part has not been counted anew since.
func (p *Part) counts() bool { return p.source == nil || p.generation >= p.source.base }

func (p *Part) forget() {
	w := p.window
	if i := slices.Index(w.parts, p); i >= 0 {
		w.parts = slices.Delete(w.parts, i, i+1)
	}
}
