package count

import (
	"encoding/json"
	"fmt"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// rowMessage stores a row and emits it as a record.
func (x *source) rowMessage(k counter.Key, r *counter.Row, led *counter.Ledger) (shards.Message, error) {
	rec := x.subject.Row(k, r, led)
	value, err := encode(rec)
	if err != nil {
		return shards.Message{}, err
	}
	return shards.Message{Key: x.prefix + k.String(), Value: r.Append(nil), EmitKey: rec.Key(), Emit: value}, nil
}

// ledgerMessage stores a ledger; with the first of a generation in a session
// goes the statement of what was missed before it. It may be said again: it is
// the same.
func (x *source) ledgerMessage(k counter.Key, led *counter.Ledger, say bool) (shards.Message, error) {
	m := shards.Message{Key: x.prefix + k.String(), Value: led.Append(nil)}
	if led.Missed == nil || !say {
		return m, nil
	}
	missed, err := x.missedMessage(k.Owner, led)
	if err != nil {
		return m, err
	}
	m.EmitKey, m.Emit = missed.EmitKey, missed.Emit
	return m, nil
}

// missedMessage states what was missed before the generation of a ledger.
func (x *source) missedMessage(owner string, led *counter.Ledger) (shards.Message, error) {
	rec := x.subject.Missed(owner, led)
	value, err := encode(rec)
	if err != nil {
		return shards.Message{}, err
	}
	return shards.Message{Key: x.prefix, EmitKey: rec.Key(), Emit: value}, nil
}

func encode(r *audit.Record) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode a record of %s: %w", r.Source(), err)
	}
	return b, nil
}
