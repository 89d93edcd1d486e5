package scenario

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBadLinesSayWhatIsAllowed(t *testing.T) {
	const head = "tier edge\ntier core dc=west\ntier core dc=east\nproduce orders n=10\n" // four lines
	for _, c := range []struct{ line, want string }{
		{"prodcue orders", `there is no command "prodcue"; there are advance, app, begin, `},
		{"produce", "something is left out; write: produce TOPIC [tier=FIRST]"},
		{"produce orders clicks", `"clicks" is one word too many; write: produce TOPIC`},
		{"produce orders m=3", `produce has no option "m"; write: produce TOPIC`},
		{"produce orders n=3 n=4", "n is given twice"},
		{"produce orders n=", "n has no value"},
		{"produce orders n=many", "n=many: want a number from 1 to 10000"},
		{"produce orders n=20000", "n=20000: want a number from 1 to 10000"},
		{"produce orders at=noon", "at=noon: want a time such as 10:00"},
		{"produce orders at=10:10..10:00", "at=10:10..10:00: want a time such as 10:00"},
		{"produce orders latency=5", "latency=5: want a duration such as 500ms"},
		{"produce orders latency=5s sent=10:00", "sent and latency exclude each other"},
		{"produce orders transaction=perhaps", "transaction=perhaps: want commit or abort or open"},
		{"produce orders n=10 untimed=6 malformed=6", "malformed=6: there are 10 messages, 4 of them not chosen otherwise"},
		{"produce orders n=10 untimed=9..12", "untimed=9..12: there are 10 messages"},
		{"produce orders n=10 untimed=5..6 malformed=6..7", "malformed=6..7: message 6 is chosen otherwise"},
		{"produce orders tier=middle", `"middle" is none of the tiers; there are edge, core/west, core/east`},
		{"produce orders tier=core", `"core" is none of the tiers; there are edge, core/west, core/east`},
		{"copy orders edge core/west", `"core/west": want ->; write: copy TOPIC FROM -> TO`},
		{"copy orders edge -> edge", `there is no topic "orders" at tier edge to be copied to edge`},
		{"copy clicks edge -> core/west", `there is no topic "clicks" at tier edge to be copied to core/west`},
		{"original orders", "something is left out; write: original TOPIC tier=NAME"},
		{"flush now=1", `"now=1": flush takes no options; write: flush`},
		{"crash everything", `"everything": want count or collect; write: crash count|collect`},
		{"crash collect after=ledger", "want after=table, or nothing"},
		{"start count", "it runs; write first: stop count"},
		{"wake count", "no counting instance is paused; write first: pause count"},
		{"window 10m", "window comes before the first message"},
		{"window 7m", "7m0s does not divide a day"},
		{"clock 09:00", "the clock does not go back"},
		{"advance soon", `"soon": want a duration such as 15m`},
		{"advance 99999d", `"99999d": want a duration such as 15m`},
		{"begin latest", "write first: stop count"},
		{"tier edge", "tier edge is declared twice"},
		{"tier a/b", "hold no slash"},
		{"topic orders partitions=5", "write: partitions orders N"},
		{"partitions orders 2", "topic orders has 3 partitions already"},
		{"retention clicks", `there is no topic "clicks" at tier edge; there are: orders`},
		{"retention orders drop=11", "drop=11: want a number from 0 to 10"},
		{"end orders commit", "no transaction of topic orders is open"},
		{"show everything", `"everything": want table or datacenters`},
		{"except everything: it is so", `"everything" is not a property; there are repartition, split, crash, reorder, recollect`},
		{"except crash", "give the reason: except PROPERTY, PROPERTY: the reason"},
		{"except crash, crash: it is so", "crash is excepted twice"},
	} {
		t.Run(c.line, func(t *testing.T) {
			s, err := Parse("a.txt", head+c.line+"\n----\n")
			if err == nil {
				_, err = s.Run()
			}
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); !strings.HasPrefix(got, "a.txt:5: ") || !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant a.txt:5: ... %s", got, c.want)
			}
		})
	}
}

func TestAScriptWithoutATierSaysSo(t *testing.T) {
	s, err := Parse("a.txt", "# nothing yet\n\nproduce orders\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(); err == nil || err.Error() != "a.txt:3: no tier is declared; begin with: tier edge" {
		t.Errorf("got %v", err)
	}
}

// TestTheTextStaysAsItIs: what is not output is given back as it was written.
func TestTheTextStaysAsItIs(t *testing.T) {
	const text = `# A comment.
  tier   edge      # another

produce orders n=2
advance 1m
----
old output, of
two lines

# Without output to the end.
advance 1m
`
	s, err := Parse("a.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Run()
	if want := strings.Replace(text, "old output, of\ntwo lines\n", "orders  edge\n10:00      2\n", 1); err != nil || got != want {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
}

// TestEveryCommandIsDocumented holds the package comment against the commands.
func TestEveryCommandIsDocumented(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.Join(strings.Fields(file.Doc.Text()), " ")
	for _, c := range commands {
		if !strings.Contains(doc, c.usage) {
			t.Errorf("the package comment does not have: %s", c.usage)
		}
	}
	if !strings.Contains(doc, usageExcept) {
		t.Errorf("the package comment does not have: %s", usageExcept)
	}
}

// TestEveryCommandHasAStory: each command, each option, and each word or value
// that can be chosen is in a scenario.
func TestEveryCommandHasAStory(t *testing.T) {
	untold := map[string]bool{}
	for verb, c := range commands {
		untold[verb] = true
		for _, words := range c.words {
			for _, w := range words {
				untold[verb+" "+w] = true
			}
		}
		for name, values := range c.options {
			if name == "tier" { // says only where
				continue
			}
			untold[verb+" "+name] = true
			for _, v := range values {
				untold[verb+" "+name+"="+v] = true
			}
		}
	}
	each(t, func(_ *testing.T, _ string, s *Script) {
		for _, b := range s.blocks {
			for _, l := range b.lines {
				delete(untold, l.verb)
				for _, w := range l.words {
					delete(untold, l.verb+" "+w)
				}
				for name, value := range l.options {
					delete(untold, l.verb+" "+name)
					delete(untold, l.verb+" "+name+"="+value)
				}
			}
		}
	})
	for what := range untold {
		t.Errorf("no scenario has: %s", what)
	}
}

// FuzzScript: whatever is written, it is refused with file and line, or played.
func FuzzScript(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz", text)
		var got string
		if err == nil {
			if s.long() {
				t.Skip("takes long")
			}
			got, err = s.Run()
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz:") {
				t.Fatalf("an error that does not say where: %v", err)
			}
			return
		}
		again, err := Parse("fuzz", got)
		if err != nil {
			t.Fatalf("its own output is refused: %v\n%s", err, got)
		}
		if twice, err := again.Run(); err != nil || twice != got {
			t.Fatalf("played again it differs: %v\n%s", err, firstDifference(got, twice))
		}
	})
}

// long says whether playing takes more than a moment.
func (s *Script) long() bool {
	lines := 0
	for _, b := range s.blocks {
		lines += len(b.lines)
		for _, l := range b.lines {
			if len(l.options["n"]) > 3 || len(l.options["times"]) > 2 {
				return true
			}
		}
	}
	return lines > 60
}
