//go:build linux && amd64 && !noembed

package clickhouse

import (
	"github.com/ClickHouse/ch-go/proto"
)

// handshakeQuery is what clickhouse-go asks first.
const handshakeQuery = "SELECT displayName(), version(), revision(), timezone()"

// handshake answers it by hand. clickhouse-go reads this one answer at its own
// protocol revision, and all later ones at the revision that it announces.
// libchdb writes blocks at revision 0 only, so 0 is announced, and nothing needs
// to be transcoded. (A client at another fixed revision would misread.)
func (h *handler) handshake(o *output, revision uint64) error {
	var b proto.Buffer
	b.Buf = append(b.Buf, 1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0) // block info: no overflow, no bucket
	b.PutUVarInt(4)                                           // columns
	b.PutUVarInt(1)                                           // rows
	column := func(name, typ string) {
		b.PutString(name)
		b.PutString(typ)
		if revision >= 54454 {
			b.PutBool(false) // no custom serialisation
		}
	}
	column("displayName()", "String")
	b.PutString("chaperone")
	column("version()", "String")
	b.PutString(h.version)
	column("revision()", "UInt32")
	b.PutUInt32(0)
	column("timezone()", "String")
	b.PutString(h.timezone)
	_, err := o.Write(b.Buf)
	return err
}
