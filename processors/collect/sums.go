package collect

import (
	"fmt"

	"github.com/chaperone-audit/chaperone/audit"
)

// progress compares the sum with what progress says. Again says that the same
// owner has spoken of the topic just before, and since all that earlier sessions
// have read: so the end that it names is above whatever they have stored or dropped.
func (b *books) progress(r *audit.Record, p *audit.SourceProgress, again bool) {
	src := r.Source()
	src.Partition = p.Partition
	a := b.account(src, r)
	a.compacted = a.compacted || r.Progress.Compacted
	if p.Total == 0 {
		return // its owner may not yet be sure of the generation, and another have begun it elsewhere
	}
	g := a.generation(p.Generation)
	if again && a.mark < 0 && p.Next >= g.floor {
		a.mark = p.End
	}
	exact := g.high < p.Next && g.floor <= p.Next // else records beyond it are known, or were to earlier sessions
	g.touched, g.floor = b.now, max(g.floor, p.Next)
	if !a.sums() {
		b.know(g, false)
	}
	if g.known {
		switch off := int64(g.sum - p.Total); {
		case off < 0:
			b.say(Deficit, src, "generation %d: progress says that %d messages are counted below offset %d, the records add up to %d: %d are missing, %s",
				g.number, p.Total, p.Next, g.sum, -off, b.where(g))
			b.know(g, false)
		case exact && off > 0:
			b.say(Surplus, src, "generation %d: progress says that %d messages are counted below offset %d, the records add up to %d: %d too many, %s",
				g.number, p.Total, p.Next, g.sum, off, b.where(g))
		}
	}
	if exact && a.sums() && a.mark >= 0 && p.Next >= a.mark {
		b.know(g, true)
		g.sum, g.sound = p.Total, b.offset
	}
}

// where says where to look on the audit topic.
func (b *books) where(g *generation) string {
	if g.sound < 0 {
		return fmt.Sprintf("before offset %d of the audit topic", b.offset)
	}
	return fmt.Sprintf("between offsets %d and %d of the audit topic", g.sound, b.offset)
}

// loadedProgress takes what the table has of progress.
func (b *books) loadedProgress(r *audit.Record) {
	for i := range r.Progress.Sources {
		p := &r.Progress.Sources[i]
		src := r.Source()
		src.Partition = p.Partition
		a := b.account(src, r)
		a.compacted = a.compacted || r.Progress.Compacted
		g := a.generation(p.Generation)
		g.touched, g.floor = b.now, max(g.floor, p.Next)
	}
}
