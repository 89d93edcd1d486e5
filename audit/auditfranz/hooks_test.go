package auditfranz

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// refuses fails if there is anything to report.
type refuses struct{ t *testing.T }

func (r refuses) Report(_ context.Context, records []*audit.Record) error {
	for _, rec := range records {
		r.t.Errorf("a %s of topic %q", rec.Kind, rec.Topic)
	}
	return nil
}

// One record that cannot be written would keep back all others.
func TestATopicThatCannotBeIsTheClientsAffair(t *testing.T) {
	r, err := audit.NewRecorder(audit.Options{Tier: "edge", Reporter: refuses{t}})
	if err != nil {
		t.Fatal(err)
	}
	h := &hooks{r}
	for _, topic := range []string{"", "\xff"} {
		rec := &kgo.Record{Topic: topic}
		h.OnProduceRecordBuffered(rec)
		h.OnProduceRecordUnbuffered(rec, errors.New("refused"))
		if len(rec.Headers) != 0 {
			t.Errorf("%q is stamped", topic)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
