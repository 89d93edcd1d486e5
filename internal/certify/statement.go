package certify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
)

// Format names the form of a Statement. Another one is a newer program's.
const Format = "chaperone/statement/1"

// A Statement says how complete a topic was in a time, and what that rests on.
type Statement struct {
	Format    string    `json:"statement"`
	Topic     string    `json:"topic"`
	Pipeline  string    `json:"pipeline"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Complete  bool      `json:"complete"` // all windows are, at Threshold
	Threshold float64   `json:"threshold"`
	Made      time.Time `json:"madeAt"`
	Chaperone string    `json:"chaperone"` // version of the instance that was asked
	Judges    []string  `json:"judges"`    // digests of the configurations that verdicts were made with
	Windows   []Window  `json:"windows"`   // by start
	Records   []Record  `json:"records"`   // by window and identity
	Digest    string    `json:"digest"`    // of all of the above
}

// A Window is the verdict of a window.
type Window struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	State    string    `json:"state"`
	Verdict  string    `json:"verdict"`
	Complete bool      `json:"complete"`
	Empty    bool      `json:"empty"`             // nobody has counted a message in it
	Version  int64     `json:"version,omitempty"` // of the verdict
	Judge    string    `json:"judge,omitempty"`   // digest of the configuration
	Tiers    []Tier    `json:"tiers"`
	Findings []string  `json:"findings,omitempty"`
}

// A Tier is what a tier had in a window, by the verdict.
type Tier struct {
	Tier        string `json:"tier"`
	Messages    uint64 `json:"messages"`
	Bytes       uint64 `json:"bytes"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// A Record is what a source had said of a window when the statement was made.
type Record struct {
	Identity    string    `json:"identity"`
	Version     int64     `json:"version"`
	UUID        string    `json:"uuid"`
	Tier        string    `json:"tier"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Count       uint64    `json:"count"`
	Bytes       uint64    `json:"bytes"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Mode        string    `json:"fingerprintMode,omitempty"`
}

// Make makes a statement from answers about one topic and time.
func Make(c *v1.Completeness, verdicts *v1.Verdicts, records *v1.Records, chaperone string, now time.Time) (*Statement, error) {
	if len(c.Topics) != 1 || c.Topics[0].Since == nil {
		return nil, errors.New("nobody has heard of the topic, so there is nothing to certify")
	}
	t := &c.Topics[0]
	s := &Statement{Format: Format, Topic: t.Topic, Pipeline: t.Pipeline, From: c.From, To: c.To, Complete: c.Complete, Threshold: c.Threshold,
		Made: now.UTC().Truncate(time.Second), Chaperone: chaperone, Judges: []string{}, Windows: []Window{}, Records: []Record{}}
	type window struct{ start, end int64 }
	judged := map[window]*v1.Verdict{}
	for i := range verdicts.Verdicts {
		v := &verdicts.Verdicts[i]
		judged[window{v.Start.Unix(), v.End.Unix()}] = v
		s.Judges = append(s.Judges, v.Digest)
	}
	slices.Sort(s.Judges)
	s.Judges = slices.Compact(s.Judges)
	for _, p := range t.PerWindow {
		w := Window{Start: p.Start, End: p.End, State: p.State, Verdict: p.Verdict, Complete: p.Complete, Empty: p.Empty, Tiers: []Tier{}}
		if v := judged[window{p.Start.Unix(), p.End.Unix()}]; v != nil {
			w.Version, w.Judge = v.Version, v.Digest
			for _, c := range v.Tiers {
				w.Tiers = append(w.Tiers, Tier{c.Tier, c.Messages, c.Bytes, c.Fingerprint})
			}
			for _, f := range v.Findings {
				w.Findings = append(w.Findings, f.Sentence)
			}
		}
		s.Windows = append(s.Windows, w)
	}
	for _, r := range records.Records {
		s.Records = append(s.Records, Record{r.Identity, r.Version, r.UUID, r.Tier, r.Start, r.End, r.Count, r.Bytes, r.Fingerprint, r.Mode})
	}
	s.Digest = s.digest()
	return s, nil
}

// digest is the SHA-256 of the statement, a line for what it says of all, for each window
// and for each record, each in JSON with members in a fixed order.
func (s *Statement) digest() string {
	h := sha256.New()
	line := func(v any) {
		b, _ := json.Marshal(v) // texts, numbers and times
		h.Write(append(b, '\n'))
	}
	head := *s
	head.Windows, head.Records, head.Digest = nil, nil, ""
	line(head)
	for i := range s.Windows {
		line(&s.Windows[i])
	}
	for i := range s.Records {
		line(&s.Records[i])
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Write writes the statement as indented JSON.
func (s *Statement) Write(w io.Writer) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Read reads what Write writes, and nothing else: what is there and not understood would
// be no part of the digest.
func Read(r io.Reader) (*Statement, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	s := &Statement{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("it is no statement: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is no statement: there is something behind it")
	}
	if s.Format != Format {
		return nil, fmt.Errorf("it is a statement of form %q, and this program knows %q: update it", s.Format, Format)
	}
	return s, nil
}
