package processors

import (
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// AlertSinkGroup and AlertSinkGraph write what becomes of alerts into a store, as
// SinkGraph does with records.
func (t Topology) AlertSinkGroup() goka.Group { return goka.Group(t.Prefix + "-alert-sink") }

func (t Topology) AlertSinkGraph() *goka.GroupGraph {
	return goka.DefineGroup(t.AlertSinkGroup(),
		goka.Input(goka.Stream(t.Prefix+"-alert-events"), new(codec.Bytes), shards.Callback("")))
}
