package app

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/health"
)

// cost is what the bounds of a part let it hold at once, in bytes: what is fetched
// decoded, and once more held by those who are paused; what is pending also in flight.
func (b bounds) cost() (parts map[Part]int64) {
	const decoded = 3
	alert := int64(0)
	if b.ViewsHeld == 0 { // else the view is that of serve
		alert = decoded*int64(b.ViewsFetch) + int64(b.VerdictsHeld)*3/2
	}
	return map[Part]int64{
		Alert:   alert,
		Count:   2*decoded*int64(b.CountFetch) + int64(b.CountPending)*pendingBytes + int64(b.CountInFlight)*inFlightBytes,
		Collect: decoded*int64(b.CollectFetch) + 3*int64(b.CollectPending),
		Sink:    2 * (decoded*int64(b.SinkFetch) + 2*4*int64(b.SinkBatch)),
		Serve:   2*decoded*int64(b.ViewsFetch) + int64(b.ViewsHeld+b.VerdictsHeld)*3/2 + (decoded+1)*int64(b.HTTPBodies),
	}
}

func TestBoundsShareTheLimit(t *testing.T) {
	for _, parts := range [][]Part{{Count}, {Collect}, {Sink}, {Alert}, {Serve}, {Collect, Sink}, All()} {
		var before bounds
		for limit := int64(config.LeastMemory); limit <= 64<<30; limit += limit / 3 {
			b := boundsOf(limit, parts)
			if b.Runtime >= limit || b.Runtime < limit/2 {
				t.Errorf("%v of %d: the runtime's limit is %d", parts, limit, b.Runtime)
			}
			sum := int64(0)
			for _, p := range parts {
				sum += b.cost()[p]
			}
			if sum > limit-fixedBytes {
				t.Errorf("%v of %d: the bounds come to %d", parts, limit, sum)
			}
			if before.CountFetch > b.CountFetch || before.CountPending > b.CountPending || before.CollectPending > b.CollectPending ||
				before.SinkBatch > b.SinkBatch || before.ViewsHeld > b.ViewsHeld || before.HTTPBodies > b.HTTPBodies || before.Runtime > b.Runtime {
				t.Errorf("%v: more memory, %d, gives lower bounds: %+v and %+v", parts, limit, before, b)
			}
			before = b
		}
	}
}

func TestBoundsOfPartsThatDoNotRunAreNone(t *testing.T) {
	if b := boundsOf(1<<30, []Part{Sink}); b.CountFetch != 0 || b.CollectPending != 0 || b.ViewsHeld != 0 || b.SinkBatch == 0 {
		t.Errorf("%+v", b)
	}
	if b := boundsOf(0, All()); b != (bounds{}) {
		t.Errorf("bounds without a limit: %+v", b)
	}
}

func TestALimitBelowTheLeastIsTakenForTheLeast(t *testing.T) {
	if b := boundsOf(1<<20, All()); b != boundsOf(int64(config.LeastMemory), All()) {
		t.Errorf("%+v", b)
	}
}

func TestConfiguredBoundsAreOnlyLowered(t *testing.T) {
	b := boundsOf(int64(config.LeastMemory), []Part{Count})
	if got := b.rowsPerSecond(20_000, time.Second); got >= 20_000 || got != b.CountInFlight {
		t.Errorf("%d rows a second, of %d in flight", got, b.CountInFlight)
	}
	if got := b.rowsPerSecond(20_000, 10*time.Millisecond); got != 20_000 {
		t.Errorf("%d rows a second, though a flush has few of them", got)
	}
	if got := (bounds{}).rowsPerSecond(20_000, time.Second); got != 20_000 {
		t.Errorf("%d rows a second without a limit", got)
	}
	if least(3, 5) != 3 || least(0, 5) != 5 || least(3, 0) != 3 || least(0, 0) != 0 {
		t.Error("the lower of two bounds")
	}
}

func TestWhereTheLimitComesFrom(t *testing.T) {
	for _, c := range []struct {
		configured      config.Bytes
		goLimit, cgroup int64
		engine          bool
		want            int64
		from            string
	}{
		{512 << 20, 1 << 30, 2 << 30, true, 512 << 20, "memory.limit"},
		{0, 1 << 30, 2 << 30, false, 1 << 30, "GOMEMLIMIT"},
		{0, math.MaxInt64, 1000 << 20, false, 900 << 20, "90 % of the container's limit"},
		{0, math.MaxInt64, 1500 << 20, true, 500 << 20, "a third of the container's limit"},
		{0, math.MaxInt64, 0, true, 0, ""},
	} {
		if got, from := memoryLimit(c.configured, c.goLimit, c.cgroup, c.engine); got != c.want || from != c.from {
			t.Errorf("%+v: %d of %q", c, got, from)
		}
	}
}

func TestContainersLimitIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"version 2, in its own namespace":    {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		"version 2, the lowest of all above": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/b/memory.max": "2000\n"}, 1000},
		"version 2, none":                    {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0},
		"version 1, a path of outside":       {map[string]string{"proc/self/cgroup": "3:cpu,cpuacct:/x\n4:memory:/docker/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n"}, 4096},
		"version 1, none":                    {map[string]string{"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"no such thing":                      {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, text := range c.files {
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := containerMemory(root); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestHealthSaysThatMemoryIsShort(t *testing.T) {
	var r health.Registry
	w := &memoryWatch{limit: 512 << 20, runtime: 450 << 20, from: "memory.limit", health: r.Part("memory")}
	w.report(200 << 20)
	if _, worst := r.Reports(); worst != health.OK {
		t.Error("short, with less than half in use")
	}
	w.report(440 << 20)
	if list, worst := r.Reports(); worst != health.Degraded || list[0].Reason == "" {
		t.Errorf("%+v", list)
	}
	w.report(200 << 20)
	if _, worst := r.Reports(); worst != health.OK {
		t.Error("still short")
	}
}
