package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/count"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// A session is a counting instance from when it is given the sources, all of
// them, until it dies. It does what processors/count does: it reads, and it
// flushes in rounds. What it has sent arrives write by write.
type session struct {
	w       *world
	owner   string
	found   map[audit.Source]map[counter.Key]counter.Entry // in the table when it began
	sources map[audit.Source]*source
	list    []*source                // in order
	rules   map[string][]codecs.Rule // of topics that were there when it began

	stage  stage
	out    []write   // sent and not yet arrived
	taken  []flushed // of the round
	said   map[*topic]said
	absent map[[2]string]said    // by cluster and name of a topic that was not there
	gone   map[audit.Source]bool // no longer listed; true while nothing has been said about it
}

// startCounting begins a session. It recovers what the table holds now, though
// it may come to some sources later.
func (w *world) startCounting() error {
	w.owners++
	s := &session{
		w: w, owner: fmt.Sprint("count-", w.owners), found: map[audit.Source]map[counter.Key]counter.Entry{},
		sources: map[audit.Source]*source{}, rules: map[string][]codecs.Rule{}, said: map[*topic]said{}, absent: map[[2]string]said{}, gone: map[audit.Source]bool{},
	}
	w.current = s
	for name, d := range w.declared {
		if d.made > 0 {
			s.rules[name] = d.rules
		}
	}
	for key, value := range w.table {
		src, rest, err := counter.ParseSource(key)
		if err != nil {
			return err
		}
		k, err := counter.ParseKey(rest)
		if err != nil {
			return err
		}
		e, err := counter.Decode(value)
		if err != nil {
			return err
		}
		if s.found[src] == nil {
			s.found[src] = map[counter.Key]counter.Entry{}
		}
		s.found[src][k] = e
	}
	return s.open()
}

// open begins to read what the clusters list and is not yet read, and notes what
// they no longer list.
func (s *session) open() error {
	listed := map[audit.Source]bool{}
	for _, p := range s.w.places {
		for _, name := range slices.Sorted(maps.Keys(p.topics)) {
			t := p.topics[name]
			for i, l := range t.partitions {
				src := audit.Source{Cluster: p.cluster(), Topic: name, TopicID: t.id, Partition: int32(i)}
				listed[src] = true
				if s.sources[src] == nil {
					if err := s.recover(src, p, t, l); err != nil {
						return err
					}
				}
			}
		}
	}
	note := func(src audit.Source) {
		if _, noted := s.gone[src]; !noted && !listed[src] {
			s.gone[src] = true
		}
	}
	for src := range s.found {
		note(src)
	}
	for src := range s.sources {
		note(src)
	}
	return nil
}

func (s *session) recover(src audit.Source, p *place, t *topic, l *log) error {
	subject, err := s.subject(src, p)
	if err != nil {
		return err
	}
	x := &source{Source: src, topic: t, log: l, prefix: counter.SourcePrefix(src), said: -1, subject: subject}
	var found counter.Found
	var former []counter.Former
	for _, f := range x.subject.Extract.Formers(s.w.size) {
		former = append(former, counter.Former(f))
	}
	x.c, found = counter.Recover(counter.Options{
		Owner: s.owner, Windows: s.w.segments, Digest: x.subject.Extract.Digest(s.w.size), Former: former, Start: s.w.startOf(src, p, l),
	}, counter.Edges{Oldest: l.start, Newest: l.end}, s.found[src])
	if found.Damaged != nil {
		return fmt.Errorf("%s: %w", src, found.Damaged)
	}
	x.position = x.c.ReadFrom(l.start)
	s.sources[src] = x
	s.list = append(s.list, x)
	slices.SortFunc(s.list, func(a, b *source) int { return cmp.Compare(a.prefix, b.prefix) })
	return nil
}

func (s *session) subject(src audit.Source, p *place) (count.Subject, error) {
	rules, known := s.rules[src.Topic]
	if !known {
		rules = s.w.declared[src.Topic].first
	}
	selector, err := codecs.NewSelector(rules, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		return count.Subject{}, err
	}
	return count.Subject{Host: s.owner, Extract: selector.For(src.Topic), Identity: audit.Identity{
		Tier: p.tier, Datacenter: p.dc, Cluster: src.Cluster, Topic: src.Topic, TopicID: src.TopicID, Partition: src.Partition,
		Window: audit.Window{Size: int64(s.w.size.Seconds())},
	}}, nil
}
