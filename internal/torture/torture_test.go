package torture

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/internal/children"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
)

func TestMain(m *testing.M) {
	clickhouse.RunChildIfAsked() // the engine's child is this program too
	os.Exit(m.Run())
}

// A bounded part of what `make torture` does: every fault that a single broker can
// have, once.
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Apache Kafka and the engine; not with -short")
	}
	binary, err := children.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var verdict, diary bytes.Buffer
	results, err := Run(t.Context(), Options{Binary: binary, Kafka: Apache, Nodes: 1, Time: 15 * time.Second, Seed: 1, Out: &verdict, Say: &diary, Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("%v\n%s", err, &diary)
	}
	for _, r := range results {
		if !r.OK() {
			t.Errorf("seed %d: %s\n%s", r.Seed, &verdict, &diary)
		}
		for _, by := range []string{"table", "view", "ClickHouse", "REST", "law"} {
			if r.Checked[by] == 0 {
				t.Errorf("nothing was checked by %s", by)
			}
		}
		t.Logf("%s", &verdict)
	}
}
