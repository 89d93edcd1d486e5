package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/internal/produce"
)

// The clients here are not ours: librdkafka under Python writes the bulk, Apache
// Kafka's console producer some thousands of lines, and kcat some if it is here.

//go:embed producer.py
var producerScript []byte

// pythonPackage brings librdkafka with it.
const pythonPackage = "confluent-kafka==2.16.1"

// python gives an interpreter that has pythonPackage: that of a virtual
// environment in the cache folder, which is made if need be.
func python(ctx context.Context) (string, error) {
	cache, err := kafkatest.CacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "python-"+strings.ReplaceAll(pythonPackage, "==", "-"))
	interpreter := filepath.Join(home, "bin", "python")
	usable := func() bool {
		return exec.CommandContext(ctx, interpreter, "-c", "import confluent_kafka").Run() == nil
	}
	if usable() {
		return interpreter, nil
	}
	say("fetching %s by pip into %s (once)", pythonPackage, home)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make cache folder: %w; set CHAPERONE_CACHE to a folder that you may write to", err)
	}
	tmp, err := os.MkdirTemp(cache, "python-fetching-")
	if err != nil {
		return "", fmt.Errorf("make folder for Python: %w", err)
	}
	defer os.RemoveAll(tmp)
	fetched := filepath.Join(tmp, "venv")
	for _, c := range [][]string{
		{"python3", "-m", "venv", fetched},
		{filepath.Join(fetched, "bin", "python"), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", pythonPackage},
	} {
		cmd := exec.CommandContext(ctx, c[0], c[1:]...)
		cmd.WaitDelay = 5 * time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("fetch %s: %s: %w; it needs Python 3.8 or later with venv (on Debian: apt-get install python3-venv) and a package index\n%s",
				pythonPackage, strings.Join(c, " "), err, out)
		}
	}
	// It appears whole, by a rename. What is there already does not work, or is
	// what another process was quicker with.
	if !usable() {
		os.RemoveAll(home)
	}
	if err := os.Rename(fetched, home); err != nil && !usable() {
		return "", fmt.Errorf("put Python in place: %w", err)
	}
	if !usable() {
		return "", fmt.Errorf("%s cannot import confluent_kafka after it was installed; remove %s and try again", interpreter, home)
	}
	return interpreter, nil
}

// An order says what producer.py is to write.
type order struct {
	Brokers  string       `json:"brokers"`
	Seed     uint64       `json:"seed"`
	Messages int          `json:"messages"`
	Rate     float64      `json:"rate"` // messages per second; 0 is as fast as possible
	Topics   []orderTopic `json:"topics"`
	// Record timestamps advance from FromMs to ToMs.
	FromMs int64 `json:"fromMs"`
	ToMs   int64 `json:"toMs"`
	// The share Late of event times lies up to DisorderMs before the record
	// timestamp, and the rest up to UsualMs, evenly at random.
	Late          float64 `json:"late"`
	DisorderMs    int64   `json:"disorderMs"`
	UsualMs       int64   `json:"usualMs"`
	WindowSeconds int64   `json:"windowSeconds"` // of the tally
}

type orderTopic struct {
	Name        string   `json:"name"`
	Weight      int      `json:"weight"` // its part of the messages
	Compression string   `json:"compression"`
	Fields      []string `json:"fields"`   // that may hold the time
	Declared    bool     `json:"declared"` // a codec is declared, so that malformed counts as such
	NoTime      float64  `json:"noTime"`   // shares
	Malformed   float64  `json:"malformed"`
	OutOfBounds float64  `json:"outOfBounds"`
}

// librdkafka produces an order, and gives what Kafka acknowledged, as the
// producing side knows it. sent, if not nil, is told how many so far.
func (r *run) librdkafka(ctx context.Context, o order, sent *atomic.Int64) (map[produce.Key]produce.Counts, error) {
	dir, err := os.MkdirTemp(r.dir, "order-")
	if err != nil {
		return nil, fmt.Errorf("produce: %w", err)
	}
	script, file := filepath.Join(dir, "producer.py"), filepath.Join(dir, "order.json")
	text, err := json.Marshal(o)
	if err == nil {
		err = errors.Join(os.WriteFile(script, producerScript, 0o644), os.WriteFile(file, text, 0o644))
	}
	if err != nil {
		return nil, fmt.Errorf("produce: %w", err)
	}
	cmd := exec.CommandContext(ctx, r.python, script, file)
	cmd.WaitDelay = 5 * time.Second
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = r.processes.StartOther(cmd)
	}
	if err != nil {
		return nil, fmt.Errorf("produce: start %s: %w", r.python, err)
	}
	tally := ""
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "sent":
			var n int64
			_, _ = fmt.Sscan(rest, &n)
			if sent != nil {
				sent.Store(n)
			}
		case "tally":
			tally = rest
		}
	}
	err = errors.Join(lines.Err(), cmd.Wait(), context.Cause(ctx))
	if err != nil {
		return nil, fmt.Errorf("produce by librdkafka: %w\n%s", err, complaints.Bytes())
	}
	if sent != nil {
		sent.Store(int64(o.Messages))
	}
	return parseTally(tally, o.WindowSeconds)
}

// parseTally reads the rows that producer.py ends with.
func parseTally(text string, size int64) (map[produce.Key]produce.Counts, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return nil, fmt.Errorf("tally of the producer: %w", err)
	}
	tally := map[produce.Key]produce.Counts{}
	for _, row := range rows {
		k, c := produce.Key{Window: audit.Window{Size: size}}, produce.Counts{}
		columns := []any{&k.Topic, &k.Partition, &k.Window.Start, &c.Count, &c.Bytes, &c.NoTime, &c.Malformed, &c.OutOfBounds}
		n := len(columns)
		if err := json.Unmarshal(row, &columns); err != nil {
			return nil, fmt.Errorf("tally of the producer: row %s: %w", row, err)
		}
		if len(columns) != n {
			return nil, fmt.Errorf("tally of the producer: row %s has not %d columns", row, n)
		}
		tally[k] = c
	}
	return tally, nil
}

// consoleLines is how many lines each of the other clients writes.
const consoleLines = 4000

// console produces lines of plain text and of JSON, in turns, by Apache Kafka's
// console producer, and by kcat if it is here. It gives the number of lines.
func (r *run) console(ctx context.Context, c *kafkatest.Cluster, topic string) (lines int, err error) {
	rng := rand.New(rand.NewPCG(r.seed, 1))
	if _, err := c.Tool(ctx, kafkatest.ConsoleProducer, []string{"--topic", topic}, r.text(rng)); err != nil {
		return 0, fmt.Errorf("produce by the console producer: %w", err)
	}
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		say("kcat is not on PATH: its lines are left out")
		return consoleLines, nil
	}
	cmd := exec.CommandContext(ctx, kcat, "-P", "-b", c.Brokers()[0], "-t", topic)
	cmd.Stdin = r.text(rng)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("produce by kcat: %w\n%s", cmp.Or(context.Cause(ctx), err), out)
	}
	return 2 * consoleLines, nil
}

func (r *run) text(rng *rand.Rand) *bytes.Buffer {
	var b bytes.Buffer
	for i := range consoleLines {
		behind := time.Duration(rng.Int64N(int64(15 * time.Minute)))
		at := time.Now().Add(-behind)
		switch {
		case i%2 == 0:
			fmt.Fprintf(&b, "%s host%d app[%d]: took %d ms; ts=%d\n", at.Format(time.RFC3339), rng.IntN(9), rng.IntN(9999), rng.IntN(500), at.Unix())
		case i%4 == 1:
			fmt.Fprintf(&b, `{"level":"info","Timestamp":"%s","took":%d,"message":"žluťoučký \"ts\": 1"}`+"\n", at.UTC().Format(time.RFC3339Nano), rng.IntN(500))
		default:
			fmt.Fprintf(&b, `{"level":"warn","http":{"status":%d,"ts":1},"TS":%d.%03d}`+"\n", 200+rng.IntN(300), at.Unix(), at.Nanosecond()/1e6)
		}
	}
	return &b
}
