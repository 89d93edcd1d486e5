package clickhouse

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// unpack writes the library out of the package and compares its checksum.
func (f *fetcher) unpack(ctx context.Context, tarball, to string) (err error) {
	in, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer in.Close()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", libraryPackage, err)
	}
	archive := tar.NewReader(unzipped)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("unpack %s: it holds no package/libchdb.so", libraryPackage)
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", libraryPackage, err)
		}
		if h.Name == "package/libchdb.so" {
			break
		}
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	sum := sha256.New()
	w := &reporting{w: io.MultiWriter(out, sum), ctx: ctx, f: f, next: time.Now().Add(f.every)}
	if _, err := io.Copy(w, archive); err != nil {
		return fmt.Errorf("unpack %s: %w", libraryPackage, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.sum {
		return fmt.Errorf("libchdb.so of %s has SHA-256 %s and %s is expected: it was damaged or replaced on its way; try again, and do not use it if this repeats, but %s",
			libraryPackage, got, f.sum, remedy)
	}
	return out.Sync()
}

// reporting says how far a copy is, and ends it with its context.
type reporting struct {
	w    io.Writer
	ctx  context.Context
	f    *fetcher
	n    int64
	next time.Time
}

func (r *reporting) Write(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.w.Write(b)
	r.n += int64(n)
	if now := time.Now(); now.After(r.next) {
		r.next = now.Add(r.f.every)
		fmt.Fprintf(r.f.progress, "ClickHouse engine: unpacked %s of %s\n", megabytes(r.n), megabytes(r.f.size))
	}
	return n, err
}
