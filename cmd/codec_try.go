package cmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/config"
)

// trial is a command line of codec try.
type trial struct {
	*settings
	topic, cluster string
	messages       int
	earliest       bool
	wait           time.Duration
	file           string
	whole          bool
	stamp          string
	codecs         []string
	rule           codecs.Rule
}

func newCodecTry(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "try",
		Short: "Read a few messages and show what each codec makes of them",
		Long: `Reads the newest messages of a topic, or those in a file, and shows which event time
each codec finds in them, and how it would count: what the configuration has for
the topic, and the codecs that are named, or else all that need no settings.`,
		Example: `  chaperone codec try --topic orders --brokers localhost:9092
  chaperone codec try --topic orders --codec header,json --codec json --fields meta.created
  kcat -C -t orders -c 3 -e | chaperone codec try --file - --codec json
  chaperone codec try --file order.avro --whole --codec avro --framing raw --schemas order.avsc`,
		Args: noArgs,
	}
	t := &trial{settings: addSettings(cmd, p)}
	f := cmd.Flags()
	f.StringVar(&t.topic, "topic", "", "`name` of the topic to read from; with --file, whose configuration to use")
	f.StringVar(&t.cluster, "cluster", "", "`name` of the cluster to read from (default: the first)")
	f.IntVarP(&t.messages, "messages", "n", 3, "how many to read")
	f.BoolVar(&t.earliest, "earliest", false, "read the oldest messages, not the newest")
	f.DurationVar(&t.wait, "wait", 5*time.Second, "stop when no message has come for so long")
	f.StringVar(&t.file, "file", "", "`file` with a message in each line, in place of a topic; - for standard input")
	f.BoolVar(&t.whole, "whole", false, "the file is one message")
	f.StringVar(&t.stamp, "time", "", "record `timestamp` of the messages in the file, such as 2026-01-31T00:00:00Z (default: they have none)")
	f.StringArrayVar(&t.codecs, "codec", nil, "`codec` to try, or several in order such as header,json; may be repeated")
	f.StringSliceVar(&t.rule.Fields, "fields", nil, "`names` of fields, as codecs.fields in the configuration; so are those that follow")
	f.BoolVar(&t.rule.AnyCase, "any-case", false, "let fields match in any case")
	f.StringSliceVar(&t.rule.Headers, "headers", nil, "`names` of headers")
	f.StringVar(&t.rule.Unit, "unit", "", "s, ms, us or ns")
	f.StringArrayVar(&t.rule.Layouts, "layout", nil, "`layout` of times; may be repeated")
	f.StringVar(&t.rule.Zone, "zone", "", "`offset` of layouts without one")
	f.BoolVar(&t.rule.Strict, "strict", false, "check the whole document")
	f.StringVar(&t.rule.Framing, "framing", "", "registry, raw or single_object")
	f.StringVar(&t.rule.Registry, "registry", "", "`name` in schema_registries")
	f.StringSliceVar(&t.rule.Schemas, "schemas", nil, "`files` with schemas")
	f.StringVar(&t.rule.Message, "message", "", "`name` of the message type")
	f.StringArrayVar(&t.rule.Settings, "setting", nil, "`key=value` for a codec of your own; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if t.topic == "" && t.file == "" {
			return &usageError{cmd, "give a --topic to read from, or a --file"}
		}
		ctx, stop := untilSignal(cmd.Context(), cmd.ErrOrStderr(), "")
		defer stop()
		return t.run(ctx, cmd)
	}
	return cmd
}

func (t *trial) run(ctx context.Context, cmd *cobra.Command) error {
	c, warnings, err := t.load()
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "chaperone: %s\n", w)
	}
	registries, err := c.Registries()
	if err != nil {
		return err
	}
	env := &codecs.Env{Registries: registries, Notice: func(text string) { fmt.Fprintf(cmd.ErrOrStderr(), "chaperone: %s\n", text) }}
	contenders, passed, err := t.contenders(&c, env)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	n := 0
	show := func(where string, m *codecs.Message) error {
		n++
		fmt.Fprintf(out, "%s%s\n", where, describe(m))
		tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, x := range contenders {
			fmt.Fprintf(tw, "  %s%s\t%s\n", x.label, x.CodecAt(m.Time).Name(), answer(ctx, x.Extractor, m, c.Windows.Size))
		}
		return tw.Flush()
	}
	if t.file != "" {
		err = t.fromFile(cmd.InOrStdin(), show)
	} else {
		err = t.fromTopic(ctx, &c, show)
	}
	if err == nil && n == 0 {
		fmt.Fprintln(out, "there are no messages")
	}
	if err != nil {
		return err
	}
	for _, text := range passed {
		fmt.Fprintf(out, "not tried: %s\n", text)
	}
	return nil
}

// A contender is an extractor that is tried.
type contender struct {
	label string // what comes before its name
	*codecs.Extractor
}

// contenders are those that are asked for, and why others could not be tried.
func (t *trial) contenders(c *config.Config, env *codecs.Env) (list []contender, passed []string, err error) {
	bounds := codecs.Bounds{Past: c.Windows.Past, Future: c.Windows.Future}
	if t.topic != "" {
		s, err := c.Selector(t.program.codecs, env)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, contender{"configured: ", s.For(t.topic)})
	}
	explicit := len(t.codecs) > 0
	if !explicit {
		t.codecs = slices.Sorted(maps.Keys(t.program.codecs))
		if t.file != "" { // nobody has set a record timestamp
			t.codecs = slices.DeleteFunc(t.codecs, func(name string) bool { return name == codecs.CreateTimeCodec || name == codecs.AppendTimeCodec })
		}
	}
	for _, names := range t.codecs {
		r := t.rule
		r.Topics, r.Codecs = ".*", strings.Split(names, ",")
		if len(t.codecs) > 1 {
			r = t.understood(r)
		}
		s, err := codecs.NewSelector([]codecs.Rule{r}, t.program.codecs, env, bounds)
		if err != nil {
			text := strings.ReplaceAll(err.Error(), "rules[0].", "")
			if explicit {
				return nil, nil, fmt.Errorf("--codec %s: %s", names, text)
			}
			passed = append(passed, names+": "+strings.ReplaceAll(text, "\n", "; "))
			continue
		}
		list = append(list, contender{"", s.For("")})
	}
	return list, passed, nil
}

// understood is the rule with what its codecs take: of several that are tried, the
// settings may be for others.
func (t *trial) understood(r codecs.Rule) codecs.Rule {
	takes := map[string]bool{}
	for _, name := range r.Codecs {
		for _, key := range t.program.codecs[name].Keys {
			takes[key] = true
		}
	}
	all := r
	r = codecs.Rule{Topics: r.Topics, Codecs: r.Codecs}
	for key, set := range map[string]func(){
		"fields": func() { r.Fields = all.Fields }, "any_case": func() { r.AnyCase = all.AnyCase }, "headers": func() { r.Headers = all.Headers },
		"unit": func() { r.Unit = all.Unit }, "layouts": func() { r.Layouts = all.Layouts }, "zone": func() { r.Zone = all.Zone },
		"strict": func() { r.Strict = all.Strict }, "framing": func() { r.Framing = all.Framing }, "registry": func() { r.Registry = all.Registry },
		"schemas": func() { r.Schemas = all.Schemas }, "message": func() { r.Message = all.Message }, "settings": func() { r.Settings = all.Settings },
	} {
		if takes[key] {
			set()
		}
	}
	return r
}

// answer is what an extractor makes of a message, in words.
func answer(ctx context.Context, x *codecs.Extractor, m *codecs.Message, windowSize time.Duration) string {
	ms, class, ready := x.Extract(m)
	for !ready {
		ctx, cancel := context.WithTimeout(ctx, learnWithin)
		err := x.Learn(ctx, m)
		cancel()
		if err != nil {
			return fmt.Sprintf("waits: %v", err)
		}
		ms, class, ready = x.Extract(m)
	}
	if class == audit.Timed {
		text := fmt.Sprintf("%s, window %s", instant(ms), audit.WindowAt(ms, int64(windowSize/time.Second)).From().UTC().Format(time.RFC3339))
		switch late := time.Duration(m.Time-ms) * time.Millisecond; {
		case m.Time < 0 || late == 0:
		case late < 0:
			text += fmt.Sprintf(", %s after the record timestamp", -late)
		default:
			text += fmt.Sprintf(", %s before the record timestamp", late)
		}
		return text
	}
	said, s := x.CodecAt(m.Time).EventTime(m)
	var text string
	switch {
	case class == audit.OutOfBounds:
		text = "out of bounds at " + instant(said)
	case class == audit.Malformed:
		text = "malformed"
	case s == codecs.Malformed:
		text = "no time: it cannot be read, but nobody has declared it"
	default:
		text = "no time"
	}
	if m.Time >= 0 {
		text += "; counts at its record timestamp"
	}
	return text
}

// learnWithin bounds how long a registry is waited for.
const learnWithin = 10 * time.Second

func instant(ms int64) string {
	if t := time.UnixMilli(ms).UTC(); t.Year() >= 0 && t.Year() <= 9999 {
		return t.Format("2006-01-02T15:04:05.000Z")
	}
	return fmt.Sprintf("%d ms since 1970", ms)
}

// describe says in a line what a message is.
func describe(m *codecs.Message) string {
	var b strings.Builder
	if m.Time >= 0 {
		kind := map[codecs.TimeType]string{codecs.TimeUnknown: "record timestamp", codecs.CreateTime: "CreateTime", codecs.LogAppendTime: "LogAppendTime"}[m.TimeType]
		fmt.Fprintf(&b, ", %s %s", kind, instant(m.Time))
	}
	var names []string
	for k := range m.Headers.All() {
		names = append(names, string(k))
	}
	if len(names) > 0 {
		fmt.Fprintf(&b, ", headers %s", strings.Join(names, " "))
	}
	if m.Value == nil {
		return b.String() + ", null"
	}
	const most = 60
	begin := m.Value[:min(len(m.Value), most)]
	more := ""
	if len(m.Value) > most {
		more = "..."
	}
	fmt.Fprintf(&b, ", %d bytes %q%s", len(m.Value), begin, more)
	return b.String()
}

// A shower shows a message that is somewhere.
type shower func(where string, m *codecs.Message) error
