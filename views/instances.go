package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/query"
)

// Instances lists the application instances that count a topic, all topics if it is
// empty, in order of topic, tier, datacenter and instance.
func (s *Sources) Instances(ctx context.Context, topic string) ([]query.Instance, error) {
	type key struct{ topic, tier, datacenter, instance string }
	all := map[key]*query.Instance{}
	take := func(r *audit.Record, row *table.Row) {
		if r.Instance == "" || r.Client == nil {
			return
		}
		k := key{r.Topic, r.Tier, r.Datacenter, r.Instance}
		i := all[k]
		if i == nil {
			i = &query.Instance{Tier: r.Tier, Datacenter: r.Datacenter, Topic: r.Topic, Instance: r.Instance}
			all[k] = i
		}
		if at := time.UnixMilli(row.Appended).UTC(); at.After(i.AsOf) {
			i.AsOf, i.Host = at, r.Host
		}
		switch {
		case r.Kind == audit.KindGoodbye:
			i.Ended, i.ClientCount = true, *r.Client
		case r.Kind == audit.KindProgress && !i.Ended || i.Every == 0 && !i.Ended:
			i.ClientCount = *r.Client
		}
	}
	for _, kind := range []audit.Kind{audit.KindHello, audit.KindProgress, audit.KindGoodbye} {
		if err := s.each(ctx, topic, kind, take); err != nil {
			return nil, fmt.Errorf("instances of topic %q: %w", topic, err)
		}
	}
	list := make([]query.Instance, 0, len(all))
	for _, i := range all {
		list = append(list, *i)
	}
	slices.SortFunc(list, func(a, b query.Instance) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(a.Tier, b.Tier), strings.Compare(a.Datacenter, b.Datacenter), strings.Compare(a.Instance, b.Instance))
	})
	return list, nil
}
