//go:build linux && amd64 && !noembed

package clickhouse

import (
	"regexp"
	"strings"
)

// A statement is SQL as it came, with what the HTTP interface has to know of it.
// The engine parses it; this only looks at its beginning and end.
type statement struct {
	sql    string
	insert bool   // an INSERT whose rows follow in the request's body; sql is then without its FORMAT
	format string // of the result, or of an insert's rows
	stream bool   // its result may be sent while it is computed
}

const blank = `^(?:\s+|--[^\n]*\n|/\*(?s:.*?)\*/)*`

var (
	insertPattern   = regexp.MustCompile(`(?i)` + blank + `INSERT\s`)
	readPattern     = regexp.MustCompile(`(?i)` + blank + `\(*\s*(?:SELECT|WITH)\b`)
	rowsPattern     = regexp.MustCompile(`(?i)\b(?:SELECT|WITH|VALUES)\b`)
	formatPattern   = regexp.MustCompile(`(?is)\s+FORMAT\s+([A-Za-z0-9_]+)[\s;]*$`)
	settingsPattern = regexp.MustCompile(`(?is)\s+SETTINGS\s+\w+\s*=[^()]*$`)
)

// parseStatement looks at a statement. separateBody says that it came in the
// URL and a body with it, so that an INSERT may find its rows there.
func parseStatement(sql, defaultFormat string, separateBody bool) statement {
	st := statement{sql: sql, format: defaultFormat}
	if separateBody && insertPattern.MatchString(sql) {
		head := sql
		format := "Values"
		if m := formatPattern.FindStringSubmatchIndex(sql); m != nil {
			format, head = sql[m[2]:m[3]], sql[:m[0]]
		}
		if !rowsPattern.MatchString(unquoted(head)) {
			return statement{sql: head, insert: true, format: format}
		}
	}
	if m := formatPattern.FindStringSubmatch(settingsPattern.ReplaceAllString(sql, "")); m != nil {
		st.format = m[1]
	}
	st.stream = readPattern.MatchString(sql) && rowWise[strings.ToLower(st.format)]
	return st
}

// rowWise are the formats in which the output of blocks one after the other is
// the output of all. The engine's stream writes each block as a document, so
// that FORMAT JSON of two blocks would be two JSON documents.
var rowWise = map[string]bool{
	"native": true, "rowbinary": true, "tabseparated": true, "tsv": true, "csv": true, "jsoneachrow": true, "jsoncompacteachrow": true,
}

// unquoted blanks out quoted names and strings, whose words mean nothing.
func unquoted(sql string) string {
	b := []byte(sql)
	var quote byte
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case quote == 0 && (c == '\'' || c == '"' || c == '`'):
			quote = c
		case quote != 0 && c == '\\' && i+1 < len(b):
			b[i], b[i+1] = ' ', ' '
			i++
			continue
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0:
			continue
		}
		b[i] = ' '
	}
	return string(b)
}

// quoteName and quoteString write a name and a string into SQL.
func quoteName(s string) string   { return "`" + escaper.Replace(s) + "`" }
func quoteString(s string) string { return "'" + escaper.Replace(s) + "'" }

var escaper = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "`", "\\`")
