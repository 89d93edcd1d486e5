package auditfranz

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestAReporterIsNeverCounted(t *testing.T) {
	nowhere := audit.ReporterFunc(func(context.Context, []*audit.Record) error { return nil })
	r, err := audit.NewRecorder(audit.Options{Tier: "edge", Reporter: nowhere})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(context.Background())
	for name, opts := range map[string][]kgo.Opt{"with Hooks": {Hooks(r)}, "with others too": {kgo.WithHooks(started{}), Hooks(r)}, "plain": nil} {
		reporter, err := NewReporter("audit", opts...)
		if err == nil {
			reporter.Close()
		}
		if refused := err != nil && strings.Contains(err.Error(), "Hooks"); refused != (opts != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type started struct{}

func (started) OnNewClient(*kgo.Client) {}
