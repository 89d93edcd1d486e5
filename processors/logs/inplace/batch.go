package inplace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A batch as it lies in the log, format v2; numbers are big-endian:
//
//	 0 base offset        8
//	 8 length             4  of all that follows
//	12 leader epoch       4  set by the broker, like the base offset: the CRC does not cover them
//	16 format             1  2; what is older has 0 or 1 here
//	17 CRC-32C            4  of all that follows
//	21 attributes         2  bits 0-2 codec, 3 time is append time, 4 transactional, 5 control
//	23 last offset delta  4  compaction keeps it, so that the batch still says where it ends
//	27 first time         8
//	35 greatest time      8
//	43 producer           8
//	51 producer epoch     2
//	53 first sequence     4
//	57 records            4
//	61 ...                   the records, compressed together if there is a codec
const headSize = 61

const (
	attrCodec         = 0x07
	attrAppendTime    = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

// A head is what the walk needs of the fields above.
type head struct {
	base, next          int64 // offsets: of the first record, and behind the last
	size                int   // bytes of the whole batch
	epoch               int32
	attrs               uint16
	firstTime, lastTime int64
	producer            int64
	count               int32
}

var (
	errCut    = errors.New("the batch is not all there")
	errCRC    = errors.New("its checksum is wrong")
	errRecord = errors.New("its records are not what its head says")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// parseHead reads the head at the beginning of b. errCut is normal at the end of
// what was fetched.
func parseHead(b []byte) (h head, err error) {
	if len(b) < 17 {
		return h, errCut
	}
	h.base = int64(binary.BigEndian.Uint64(b))
	h.size = int(int32(binary.BigEndian.Uint32(b[8:]))) + 12
	switch format := b[16]; {
	case format < 2:
		return h, fmt.Errorf("%w: messages are in format v%d", logs.ErrTooOld, format)
	case format > 2:
		return h, fmt.Errorf("its format is %d", format)
	case h.size < headSize:
		return h, fmt.Errorf("its length is %d", h.size)
	case len(b) < h.size:
		return h, errCut
	}
	h.epoch = int32(binary.BigEndian.Uint32(b[12:]))
	h.attrs = binary.BigEndian.Uint16(b[21:])
	h.next = h.base + int64(int32(binary.BigEndian.Uint32(b[23:]))) + 1
	h.firstTime = int64(binary.BigEndian.Uint64(b[27:]))
	h.lastTime = int64(binary.BigEndian.Uint64(b[35:]))
	h.producer = int64(binary.BigEndian.Uint64(b[43:]))
	h.count = int32(binary.BigEndian.Uint32(b[57:]))
	if h.base < 0 || h.next <= h.base {
		return h, fmt.Errorf("its offsets are %d to %d", h.base, h.next-1)
	}
	return h, nil
}

// sound says whether the checksum of a whole batch is right.
func sound(batch []byte) bool {
	return crc32.Checksum(batch[21:], castagnoli) == binary.BigEndian.Uint32(batch[17:])
}

// endOf is the place behind the whole batches of b: what is asked for next. It
// looks at heads only; whether the batches can be read is the walk's affair.
func endOf(b []byte, at place) place {
	for {
		h, err := parseHead(b)
		if err != nil {
			return at
		}
		if h.next > at.next {
			at = place{h.next, h.epoch}
		}
		b = b[h.size:]
	}
}
