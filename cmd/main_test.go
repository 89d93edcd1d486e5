package cmd

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/codecs/all"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/processors"
)

var rewrite = flag.Bool("rewrite", false, "write the expected output anew")

func TestMain(m *testing.M) {
	clickhouse.RunChildIfAsked()
	if os.Getenv("CHAPERONE_TEST_HANG") != "" {
		hang()
	}
	os.Exit(m.Run())
}

// chaperone runs a command line.
func chaperone(env []string, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = program{env: env, codecs: all.Builders()}.execute(context.Background(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// Scripts are command lines and what they print. A line that begins with $ is a
// command, NAME=VALUE before it its environment; behind it is what it printed,
// errors too, and its status unless that is 0. A line that begins with # says
// what is to be seen. `go test ./cmd -rewrite` writes them anew.
func TestScripts(t *testing.T) {
	runScripts(t, "testdata/*.txt", program{codecs: all.Builders()})
}

func runScripts(t *testing.T, pattern string, p program) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			output := false // the lines are output, made anew
			for line := range strings.Lines(string(script)) {
				switch {
				case strings.HasPrefix(line, "$ "):
					got.WriteString(line)
					got.WriteString(runLine(t, p, strings.TrimSpace(line[2:])))
					output = true
				case strings.HasPrefix(line, "# "):
					if output {
						got.WriteString("\n")
					}
					got.WriteString(line)
					output = false
				}
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != string(script) {
				t.Errorf("got\n%s\nwant\n%s", got.String(), script)
			}
		})
	}
}

func runLine(t *testing.T, p program, line string) string {
	words := strings.Fields(line)
	p.env = slices.Clone(p.env)
	for len(words) > 0 && strings.Contains(words[0], "=") {
		p.env, words = append(p.env, words[0]), words[1:]
	}
	if len(words) == 0 || words[0] != "chaperone" {
		t.Fatalf("%q is no command line of chaperone", line)
	}
	var stdout, stderr bytes.Buffer
	status := p.execute(context.Background(), words[1:], &stdout, &stderr)
	out := stdout.String() + stderr.String()
	if status != 0 {
		out += fmt.Sprintf("[exit status %d]\n", status)
	}
	return out
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, cmd := range newRoot(program{}).Commands() {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		t.Run(cmd.Name(), func(t *testing.T) {
			status, help, stderr := chaperone(nil, cmd.Name(), "--help")
			if status != 0 || stderr != "" || !strings.Contains(help, "Examples:\n  chaperone "+cmd.Name()) || len(cmd.Long) < 2*len(cmd.Short) {
				t.Errorf("status %d, stderr %q, help\n%s", status, stderr, help)
			}
		})
	}
}

func TestDefaultsAreTheAnnotatedFile(t *testing.T) {
	if status, stdout, _ := chaperone(nil, "check-config", "--defaults"); status != 0 || stdout != config.Annotated {
		t.Errorf("status %d, printed\n%s", status, stdout)
	}
	c := config.Default()
	if app.Topology(&c) != processors.DefaultTopology() {
		t.Errorf("the topology of the default configuration is %+v", app.Topology(&c))
	}
}

func TestVersion(t *testing.T) {
	if status, stdout, _ := chaperone(nil, "version"); status != 0 || !strings.HasPrefix(stdout, "chaperone ") || !strings.Contains(stdout, "go1.") {
		t.Errorf("status %d, printed %q", status, stdout)
	}
}

func TestConfigurationIsFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "my.yml")
	if err := os.WriteFile(file, []byte("windows: {size: 1m}\nstore: {dsn: 'http://h:8123'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		outcome string
		env     []string
		args    []string
		want    string
	}{
		{"by flag", nil, []string{"--config", file}, "windows   1m0s"},
		{"by environment", []string{"CHAPERONE_CONFIG=" + file}, nil, "windows   1m0s"},
		{"by flag rather than by environment", []string{"CHAPERONE_CONFIG=/does/not/exist"}, []string{"-c", file}, "windows   1m0s"},
		{"and a flag goes before it", nil, []string{"-c", file, "--set", "windows.size=2m"}, "windows   2m0s"},
		{"a store by flag also drops the DSN of the file", nil, []string{"-c", file, "--store", "memory"}, "store     memory"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			status, stdout, stderr := chaperone(c.env, append([]string{"check-config"}, c.args...)...)
			if status != 0 || stderr != "" || !strings.Contains(stdout, c.want) {
				t.Errorf("status %d, printed\n%s%s", status, stdout, stderr)
			}
		})
	}
}

func TestAnAddressThatIsTakenIsToldAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	status, _, stderr := chaperone(nil, "standalone", "--store", "memory", "--http", l.Addr().String(), "--set", "embedded.dir="+t.TempDir())
	if status != exitFailed || !strings.Contains(stderr, "address already in use") {
		t.Errorf("status %d, printed %s", status, stderr)
	}
}

// The whole program: it audits what produce writes, and ends in order.
func TestStandaloneAuditsUntilItIsInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	kafka, rest := mustFreeAddr(t), mustFreeAddr(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type end struct {
		status int
		log    string
	}
	ended := make(chan end, 1)
	go func() {
		var out, errs bytes.Buffer
		status := program{}.execute(ctx, []string{"standalone", "--store", "memory", "--http", rest, "--set", "embedded.dir=" + dir, "--set", "embedded.kafka_addr=" + kafka,
			"--set", "audit.shards=4", "--set", "audit.partitions=2", "--set", "topics.poll=200ms"}, &out, &errs)
		ended <- end{status, out.String() + errs.String()}
	}()
	await := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(100 * time.Millisecond) {
			select {
			case e := <-ended:
				t.Fatalf("it ended with status %d:\n%s", e.status, e.log)
			default:
			}
			if time.Now().After(deadline) {
				cancel()
				t.Fatalf("waited in vain for %s:\n%s", what, (<-ended).log)
			}
		}
	}
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + rest + path)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(resp.Body)
		return resp.StatusCode, b.String()
	}
	await("readiness", func() bool { status, _ := get("/ready"); return status == http.StatusOK })

	status, stdout, stderr := chaperone(nil, "produce", "--brokers", kafka, "--topics", "orders:3", "--total", "500", "--rate", "0")
	if status != 0 || !strings.Contains(stdout, "all") || !strings.Contains(stdout, "500") {
		t.Fatalf("produce: status %d, printed %s%s", status, stdout, stderr)
	}
	await("500 messages", func() bool {
		_, body := get("/api/v1/topics")
		return strings.Contains(body, `"name":"orders"`) && strings.Contains(body, `"messages":500`)
	})
	cancel()
	if e := <-ended; e.status != 0 {
		t.Errorf("it ended with status %d:\n%s", e.status, e.log)
	}
}

func TestASignalEndsTheContext(t *testing.T) {
	ctx, stop := untilSignal(context.Background(), io.Discard, "")
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the signal did not end the context")
	}
}

// hang is a program that does not end by itself at a signal.
func hang() {
	ctx, stop := untilSignal(context.Background(), os.Stderr, "nothing is lost")
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("stopping")
	select {}
}

func TestASecondSignalEndsTheProcessAndSaysSo(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CHAPERONE_TEST_HANG=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(stdout)
	for _, want := range []string{"ready", "stopping"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it says %q, want %q; %s", lines.Text(), want, &stderr)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 143 || !strings.Contains(stderr.String(), "ended at once by a second signal (terminated); nothing is lost") {
		t.Errorf("it ended with status %d and said %q", code, &stderr)
	}
}

func mustFreeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
