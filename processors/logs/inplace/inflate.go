package inplace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// mostInflated bounds what one batch may grow to. A few bytes can stand for any
// number of them, and who writes a topic is not always a friend. One at a time may
// be as large.
const mostInflated = 256 << 20

var errTooLarge = errors.New("it inflates to more than is read")

// Codecs, as the attributes of a batch name them.
const (
	codecNone = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

// An inflater decompresses batches, each behind the last in one buffer, so that
// records of several small ones can be handed over together. What it has given
// stays valid until reset, even if the buffer has to grow.
type inflater struct {
	buf   []byte
	limit int // bytes in buf; mostInflated if 0
	// turn is taken by one of all inflaters at a time while its buffer is larger than
	// those that are kept, so that not all of them are at once; nil is for one alone.
	turn  chan struct{}
	large bool // it has the turn

	zstd [2]*zstd.Decoder // for what fits, and for what is large
	gzip *gzip.Reader
	lz4  *lz4.Reader
	src  bytes.Reader
}

// keepBuffer is the largest buffer that is kept: most batches fit, and one that
// was huge does not hold its memory for ever.
const keepBuffer = 8 << 20

func (d *inflater) reset() {
	if d.buf = d.buf[:0]; cap(d.buf) > keepBuffer {
		d.buf = nil
	}
	if d.large {
		d.large = false
		if d.turn != nil {
			<-d.turn
		}
	}
}

// grow makes room for n bytes more.
func (d *inflater) grow(n int) {
	if len(d.buf)+n > keepBuffer {
		d.enlarge()
	}
	d.buf = slices.Grow(d.buf, n)
}

func (d *inflater) enlarge() {
	if !d.large && d.turn != nil {
		d.turn <- struct{}{}
	}
	d.large = true
}

func (d *inflater) most() int {
	if d.limit > 0 {
		return d.limit
	}
	return mostInflated
}

// inflate gives the body of a batch as it was before compression.
func (d *inflater) inflate(body []byte, codec uint16) ([]byte, error) {
	before := len(d.buf)
	var err error
	switch codec {
	case codecNone:
		return body, nil
	case codecGzip:
		err = d.gunzip(body)
	case codecSnappy:
		err = d.unsnappy(body)
	case codecLZ4:
		err = d.unlz4(body)
	case codecZstd:
		err = d.unzstd(body)
	default:
		err = fmt.Errorf("its codec is %d", codec)
	}
	if err != nil {
		d.buf = d.buf[:before]
		return nil, err
	}
	return d.buf[before:], nil
}

func (d *inflater) gunzip(b []byte) (err error) {
	d.src.Reset(b)
	if d.gzip == nil {
		d.gzip, err = gzip.NewReader(&d.src)
	} else {
		err = d.gzip.Reset(&d.src)
	}
	if err != nil {
		d.gzip = nil
		return err
	}
	return d.readAll(d.gzip)
}

// readAll appends all that a reader gives.
func (d *inflater) readAll(r io.Reader) error {
	for {
		d.grow(512)
		n, err := r.Read(d.buf[len(d.buf):cap(d.buf)])
		d.buf = d.buf[:len(d.buf)+n]
		switch {
		case len(d.buf) > d.most():
			return errTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// unzstd tries with little memory first: frames need not say how large they are.
func (d *inflater) unzstd(b []byte) error {
	err := d.unzstdInto(0, min(keepBuffer, d.most()), b)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		d.enlarge()
		err = d.unzstdInto(1, d.most(), b)
	}
	return err
}

func (d *inflater) unzstdInto(i, most int, b []byte) (err error) {
	if d.zstd[i] == nil {
		d.zstd[i], err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(most)),
			zstd.IgnoreChecksum(true)) // the batch has one
		if err != nil {
			return err
		}
	}
	before := len(d.buf)
	buf, err := d.zstd[i].DecodeAll(b, d.buf)
	if len(buf) >= before {
		d.buf = buf[:before]
		if err == nil {
			d.buf = buf
		}
	}
	return err
}

// xerial is how Java's library begins: its own frames around blocks of snappy.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// unsnappy takes one block, or xerial's header of 16 bytes and blocks, each with
// its length before it.
func (d *inflater) unsnappy(b []byte) error {
	if len(b) < 16 || !bytes.HasPrefix(b, xerial) {
		return d.snappyBlock(b)
	}
	for b = b[16:]; len(b) > 0; {
		if len(b) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(b))
		if b = b[4:]; n > int64(len(b)) {
			return io.ErrUnexpectedEOF
		}
		if err := d.snappyBlock(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (d *inflater) snappyBlock(b []byte) error {
	n, err := s2.DecodedLen(b)
	if err != nil {
		return err
	}
	at := len(d.buf)
	if n > d.most()-at {
		return errTooLarge
	}
	d.grow(n)
	d.buf = d.buf[:at+n]
	_, err = s2.Decode(d.buf[at:], b)
	return err
}

// unlz4 decodes frames of independent blocks, which all producers write, from
// block to buffer. Anything else is left to the library, which has buffers of its
// own: frames of linked blocks, with dictionaries, damaged ones.
func (d *inflater) unlz4(b []byte) error {
	before := len(d.buf)
	plain, err := d.lz4Blocks(b)
	if plain || err != nil {
		return err
	}
	d.buf = d.buf[:before]
	d.src.Reset(b)
	if d.lz4 == nil {
		d.lz4 = lz4.NewReader(nil)
	}
	d.lz4.Reset(&d.src)
	return d.readAll(d.lz4)
}

// lz4Blocks says whether it could read the frame: a magic number, flags, the
// size of blocks, perhaps that of the content, a checksum of these; then blocks,
// each with its length before it and perhaps a checksum behind, until one of no
// length. The checksums say nothing that the batch's own has not said.
func (d *inflater) lz4Blocks(b []byte) (plain bool, err error) {
	const (
		magic                                                 = 0x184D2204
		independent, blockSum, contentSize, contentSum, dicty = 0x20, 0x10, 0x08, 0x04, 0x01
	)
	if len(b) < 7 || binary.LittleEndian.Uint32(b) != magic {
		return false, nil
	}
	flags, class := b[4], b[5]>>4&7
	if flags>>6 != 1 || flags&independent == 0 || flags&dicty != 0 || class < 4 {
		return false, nil
	}
	blockSize := 1 << (8 + 2*int(class))
	at := 7
	if flags&contentSize != 0 {
		at += 8
	}
	for {
		if len(b) < at+4 {
			return false, nil
		}
		n := binary.LittleEndian.Uint32(b[at:])
		at += 4
		if n == 0 {
			if flags&contentSum != 0 {
				at += 4
			}
			return at == len(b), nil
		}
		stored := n>>31 != 0
		if n &= 1<<31 - 1; int64(n) > int64(len(b)-at) {
			return false, nil
		}
		block := b[at : at+int(n)]
		at += int(n)
		if flags&blockSum != 0 {
			at += 4
		}
		if stored {
			d.grow(len(block))
			d.buf = append(d.buf, block...)
		} else {
			end := len(d.buf)
			d.grow(blockSize)
			m, err := lz4.UncompressBlock(block, d.buf[end:end+blockSize])
			if err != nil {
				return false, nil
			}
			d.buf = d.buf[:end+m]
		}
		if len(d.buf) > d.most() {
			return true, errTooLarge
		}
	}
}
