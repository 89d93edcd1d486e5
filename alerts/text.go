package alerts

import (
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// The default templates. What they are given is a Page.
const (
	defaultSummary = `{{.What}}{{with .Between}} {{.}}{{end}}{{with .Where}} ({{.}}){{end}}{{with .Of}}: {{.}}{{end}}`

	defaultText = `{{range .Members}}{{if .Topic}}{{.Topic}}{{if .Size}}, window {{time .Start}}{{end}}: {{end}}{{.Says}}
{{with .Tiers}}  {{range $i, $t := .}}{{if $i}}, {{end}}{{$t.Tier}} {{$t.Messages}}{{end}}
{{end}}{{if .Topic}}  {{command .}}
{{end}}{{end}}{{with .More}}and {{.}} more {{if eq . 1}}topic{{else}}topics{{end}}
{{end}}{{if .Class}}class {{.Class}}, {{end}}rule {{.Rule}}, since {{moment .Since}}{{with .Windows}}, {{.}} {{if eq . 1}}window{{else}}windows{{end}}{{end}}
{{with .URL}}{{.}}
{{end}}`
)

// mostShown bounds the topics in a text.
const mostShown = 10

// A Page is what templates are given.
type Page struct {
	query.Alert
	Members []Member // at most ten, those with the most messages first
	More    int      // topics that Members does not have
	URL     string   // of the configuration, empty for none
}

var functions = template.FuncMap{
	"time":     func(sec int64) string { return time.Unix(sec, 0).UTC().Format(time.RFC3339) },
	"moment":   func(ms int64) string { return clock(ms) },
	"command":  Command,
	"join":     strings.Join,
	"upper":    strings.ToUpper,
	"duration": func(ms int64) string { return short(millis(ms)) },
}

// Command is what says more of a member.
func Command(m Member) string {
	if m.Size == 0 {
		return "chaperone why " + m.Topic
	}
	return "chaperone why " + m.Topic + " " + time.Unix(m.Start, 0).UTC().Format(time.RFC3339)
}

// compile makes a template and tries it, so that a misspelt field is found at the start
// and not when something is lost.
func compile(name, text, otherwise string) (*template.Template, error) {
	if text == "" {
		text = otherwise
	}
	t, err := template.New(name).Funcs(functions).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	return t, t.Execute(&strings.Builder{}, Example("test"))
}

// Example is a page about nothing, for templates and notifiers to be tried with.
func Example(rule string) *Page {
	start := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	p := &Page{Alert: query.Alert{
		Key: rule + "-test", Rule: rule, Class: Critical, Severity: query.Notice, State: query.Firing, Version: 1,
		Cause: query.Cause{Pipeline: "main", From: "regional", To: "aggregate", Subject: string(Missing), Cluster: "east", Datacenter: "dc1"},
		Since: start.Add(12 * time.Minute).UnixMilli(), Fired: start.Add(12 * time.Minute).UnixMilli(), Start: start.Unix(), End: start.Unix() + 600,
		Topics: []string{"orders"}, Affected: 1, Windows: 1, Messages: 5,
	}, Members: []Member{{Topic: "orders", Start: start.Unix(), Size: 600, Windows: 1, Messages: 5,
		Says: "5 messages passed regional and are missing at aggregate", Tiers: []TierCount{{"regional", 1000}, {"aggregate", 995}}}}}
	return p
}

// Trial is a notification that says that nothing has happened.
func (r *Rules) Trial(notifier string, now time.Time) Notification {
	p := Example("test")
	e := &Entry{Alert: p.Alert, Members: p.Members}
	r.write(e)
	e.Alert.Summary = "this is a test, nothing has happened: " + e.Alert.Summary
	return r.notification(e, Waiting{ID: fmt.Sprintf("%s/%d/%s", e.Alert.Key, now.UnixMilli(), notifier), Notifier: notifier, Event: Test, Made: now.UnixMilli()})
}

// write says an alert in words.
func (r *Rules) write(e *Entry) {
	shown := e.Members[:min(len(e.Members), mostShown)]
	p := &Page{Alert: e.Alert, Members: shown, More: max(0, e.Alert.Affected-len(shown)), URL: r.c.URL}
	e.Alert.Summary = strings.Join(strings.Fields(render(r.summary, p)), " ")
	e.Alert.Text = strings.TrimSpace(render(r.text, p))
	if e.Aged {
		const aged = "nothing has changed, it is only too long ago to be news"
		e.Alert.Summary += "; " + aged
		e.Alert.Text = upperFirst(aged) + ".\n" + e.Alert.Text
	}
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// render never fails: what a template cannot do is said in place of the rest.
func render(t *template.Template, p *Page) string {
	var b strings.Builder
	if err := t.Execute(&b, p); err != nil {
		fmt.Fprintf(&b, " (the template fails: %v)", err)
	}
	return b.String()
}

// What is the number and the subject: 5 messages missing.
func (p *Page) What() string {
	noun := "messages"
	if p.Messages == 1 {
		noun = "message"
	}
	switch Subject(p.Subject) {
	case Missing, Altered, Duplicated, Late:
		return p.number() + noun + " " + p.Subject
	case Unknown:
		s := "not known whether all messages came"
		if p.Reason != "" {
			s += fmt.Sprintf(" (%s)", p.Reason)
		}
		return s
	case NoTime:
		return fmt.Sprintf("%d %s without an event time", p.Messages, noun)
	case Malformed:
		return fmt.Sprintf("%d %s that cannot be read", p.Messages, noun)
	case Latency, Arrival:
		return "messages are slow"
	case Skew:
		return "messages from the future"
	case Lag:
		return "not counted"
	case Silence:
		return "no messages"
	case Stalled:
		return "the audit stands still"
	}
	return p.Subject
}

func (p *Page) number() string {
	switch p.Bound {
	case compare.AtLeast:
		return fmt.Sprintf("at least %d ", p.Messages)
	case compare.AtMost:
		return fmt.Sprintf("at most %d ", p.Messages)
	case compare.Unbounded:
		return ""
	}
	return fmt.Sprintf("%d ", p.Messages)
}

// Between names the tiers.
func (p *Page) Between() string {
	switch {
	case p.From != "":
		return "from " + p.From + " to " + p.To
	case p.To != "":
		return "at " + p.To
	}
	return ""
}

// Where names the place.
func (p *Page) Where() string {
	if p.Cluster != "" {
		return "cluster " + p.Cluster
	}
	if p.Datacenter != "" {
		return "datacenter " + p.Datacenter
	}
	return ""
}

// Of names the topics.
func (p *Page) Of() string {
	const most = 3
	list := p.Topics[:min(len(p.Topics), most)]
	if more := p.Affected - len(list); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list, ", "), more)
	}
	return strings.Join(list, ", ")
}

func sameFields(a, b query.Alert) bool { return reflect.DeepEqual(a, b) }
