// Package table is the form of the collect table, shared by the processor that
// writes it and the views that read it.
//
// An entry is the newest record of an identity that one session has seen. Its key
// is the record's IdentityKey and the session, its owner:
//
//	topic/-/kind/window/…/owner
//
// Each session writes under keys of its own, so an identity can have several
// entries: readers take the one with the highest version, see [Row.Newer]. All
// entries of an identity follow each other in the order of keys.
package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Row is the value of an entry: a record as it stood on the audit topic,
// preceded by what a reader wants to know without decoding it.
//
//	byte format | varint Appended | varint Offset | varint Version | varint Base | varint Until | uvarint Count | JSON
type Row struct {
	Appended int64  // when the record was appended to the audit topic, Unix milliseconds, by its broker
	Offset   int64  // at which offset
	Version  int64  // of the record
	Base     int64  // of the record; of a progress record the highest of its sources
	Until    int64  // end of its window, Unix seconds; 0 for other kinds
	Count    uint64 // messages in its window; 0 for other kinds
	JSON     []byte // the record
}

// Newer says whether the row takes the place of another one of its identity: its
// version is higher, or it is the same one and was said first. A repetition says
// nothing new, and must not make what was said look younger: when a progress
// record was appended is part of what it proves.
func (r *Row) Newer(than *Row) bool {
	return r.Version > than.Version || r.Version == than.Version && r.Offset < than.Offset
}

// format is the first byte of a value. Another one is a newer program's.
const format = 1

// Of gives the row of a record.
func Of(r *audit.Record, json []byte, appended, offset int64) Row {
	row := Row{Appended: appended, Offset: offset, Version: r.Version, Base: r.Base, JSON: json}
	if r.Kind == audit.KindWindow {
		row.Until = r.End()
	}
	if r.Tally != nil {
		row.Count = r.Tally.Count
	}
	if r.Progress != nil {
		for i := range r.Progress.Sources {
			row.Base = max(row.Base, r.Progress.Sources[i].Base)
		}
	}
	return row
}

// Append appends the value that Parse reads.
func (r *Row) Append(b []byte) []byte {
	b = append(b, format)
	for _, n := range [...]int64{r.Appended, r.Offset, r.Version, r.Base, r.Until} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.AppendUvarint(b, r.Count)
	return append(b, r.JSON...)
}

// Parse reads a value. The row's JSON is part of b and is not looked at.
func Parse(b []byte) (r Row, err error) {
	if len(b) == 0 || b[0] != format {
		return Row{}, errors.New("collect table: value in a format that this program does not know; update it")
	}
	cut := errors.New("collect table: value is cut short")
	b = b[1:]
	for _, n := range [...]*int64{&r.Appended, &r.Offset, &r.Version, &r.Base, &r.Until} {
		v, used := binary.Varint(b)
		if used <= 0 {
			return Row{}, cut
		}
		*n, b = v, b[used:]
	}
	count, used := binary.Uvarint(b)
	if used <= 0 {
		return Row{}, cut
	}
	r.Count, b = count, b[used:]
	if len(b) == 0 || b[0] != '{' {
		return Row{}, errors.New("collect table: value without a record")
	}
	r.JSON = b
	return r, nil
}

// Key is the key of an owner's entry for an identity.
func Key(identity, owner string) string { return identity + "/" + owner }

// Cut takes a key apart.
func Cut(key string) (identity, owner string, err error) {
	i := strings.LastIndexByte(key, '/')
	if i <= 0 || i == len(key)-1 || strings.Count(key, "/") < 3 {
		return "", "", fmt.Errorf("collect table: key %q: want topic/-/kind/…/owner", key)
	}
	return key[:i], key[i+1:], nil
}

// Prefix is what the keys of all entries about a topic begin with; with a kind,
// those of that kind.
func Prefix(topic string, kind audit.Kind) string {
	r := audit.Record{Kind: kind, Identity: audit.Identity{Topic: topic}}
	key := r.Key()
	cut := 2
	if kind != "" {
		cut = 3
	}
	for i := range len(key) {
		if key[i] == '/' {
			if cut--; cut == 0 {
				return key[:i+1]
			}
		}
	}
	return key // not reached: a key has more parts
}

// Limit is the first key after all that begin with the prefix, which ends with
// a slash.
func Limit(prefix string) string { return prefix[:len(prefix)-1] + "0" } // '0' follows '/'

// Old says whether the row lies further back than the horizon, at a moment by
// the log's time, Unix milliseconds. A window does when it ended that long ago,
// anything else when it was said that long ago. A window in the future is kept
// as long as if it had ended one horizon after its record; hence no event time,
// however wrong, keeps a row for ever.
func (r *Row) Old(now int64, horizon time.Duration) bool {
	h := horizon.Milliseconds()
	if r.Until == 0 {
		return r.Appended < now-h
	}
	return min(r.until(), r.Appended+h) < now-h
}

func (r *Row) until() int64 {
	const most = 1 << 50 // seconds; in milliseconds far from overflow
	return min(max(r.Until, -most), most) * 1000
}
