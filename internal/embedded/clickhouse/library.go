package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// The library that this code was written for and tested with. Its size and
// SHA-256 are those of the file inside the npm package.
const (
	libraryPackage = "@chdb/lib-linux-x64-gnu@26.7.3-stable.1"
	libraryRelease = "26.7.3"
	librarySize    = 566330096
	librarySHA256  = "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5"
	// downloadSize is about that of the compressed package, for the progress shown.
	downloadSize = 177_817_999
	// spaceNeeded is the package twice (npm keeps one while it writes the other) and the library.
	spaceNeeded = 1_000_000_000
)

// Environment variables that say where the library is and where to keep it.
const (
	LibraryEnv = "CHAPERONE_LIBCHDB"
	CacheEnv   = "CHAPERONE_CACHE"
)

// LibraryOptions say where the library is or may be kept.
type LibraryOptions struct {
	// Path of a libchdb that is already here; overrides the environment variable
	// CHAPERONE_LIBCHDB. With either, nothing is fetched and no checksum compared.
	Path string
	// Cache is a folder for it; overrides CHAPERONE_CACHE, which overrides
	// "chaperone" in the user's cache folder.
	Cache string
	// Progress is told, about every second, how far a fetch has come; nil is silence.
	Progress io.Writer
}

// Library gives the path of libchdb, fetching it through the npm client if it is
// not in the cache: 178 MB to download, 566 MB to keep, once per user. Several
// processes may ask at once; one fetches and the others wait. Without npm, room
// or the right platform the error says what to do.
func Library(ctx context.Context, opts LibraryOptions) (string, error) {
	if err := checkPlatform(); err != nil {
		return "", err
	}
	if path := cmp.Or(opts.Path, os.Getenv(LibraryEnv)); path != "" {
		switch info, err := os.Stat(path); {
		case err != nil:
			return "", fmt.Errorf("the ClickHouse library that was named: %w; correct %s or leave it out to have it fetched", err, LibraryEnv)
		case !info.Mode().IsRegular():
			return "", fmt.Errorf("the ClickHouse library that was named, %s, is not a file", path)
		}
		return path, nil
	}
	cache := cmp.Or(opts.Cache, os.Getenv(CacheEnv))
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a place for the ClickHouse library: %w; set %s to a folder", err, CacheEnv)
		}
		cache = filepath.Join(user, "chaperone")
	}
	f := fetcher{
		cache: cache, progress: opts.Progress,
		pack: npmPack, free: freeSpace, need: spaceNeeded,
		size: librarySize, sum: librarySHA256, every: time.Second,
	}
	if f.progress == nil {
		f.progress = io.Discard
	}
	path, err := f.fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("get the ClickHouse engine (libchdb %s): %w", libraryRelease, err)
	}
	return path, nil
}

// A fetcher puts the library into the cache. Tests replace its parts.
type fetcher struct {
	cache    string
	progress io.Writer
	pack     func(ctx context.Context, dir string) (tarball string, err error) // into dir
	free     func(dir string) (uint64, error)                                  // bytes
	need     uint64
	size     int64
	sum      string
	every    time.Duration // between two words of progress
}

func (f *fetcher) fetch(ctx context.Context) (string, error) {
	path := filepath.Join(f.cache, "libchdb-"+libraryRelease+".so")
	if f.present(path) {
		return path, nil
	}
	if err := os.MkdirAll(f.cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w; set %s to a folder that can be written", err, CacheEnv)
	}
	unlock, err := f.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if f.present(path) { // another process was quicker
		return path, nil
	}
	f.sweep()
	if free, err := f.free(f.cache); err == nil && free < f.need {
		return "", fmt.Errorf("%s has %s free and %s are needed; make room, set %s to a folder with more, or %s",
			f.cache, megabytes(free), megabytes(f.need), CacheEnv, remedy)
	}
	dir, err := os.MkdirTemp(f.cache, "fetch-")
	if err != nil {
		return "", fmt.Errorf("make a folder: %w; set %s to a folder that can be written", err, CacheEnv)
	}
	defer os.RemoveAll(dir)
	tarball, err := f.download(ctx, dir)
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(dir, "libchdb.so")
	if err := f.unpack(ctx, tarball, unpacked); err != nil {
		return "", err
	}
	// Readers see the whole file or none.
	if err := os.Rename(unpacked, path); err != nil {
		return "", err
	}
	fmt.Fprintf(f.progress, "ClickHouse engine: ready in %s\n", path)
	return path, nil
}

// present trusts a file of the right size: it was checked when it got its name.
func (f *fetcher) present(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == f.size
}

// sweep removes what fetches that were killed have left. The lock is held.
func (f *fetcher) sweep() {
	left, _ := filepath.Glob(filepath.Join(f.cache, "fetch-*"))
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
}

// lock makes this process the one that fetches. The kernel undoes it when the
// process ends.
func (f *fetcher) lock(ctx context.Context) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(f.cache, "fetch.lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	said := false
	for {
		err := tryLock(file)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			_ = file.Close()
			return nil, fmt.Errorf("lock the cache: %w", err)
		}
		if !said {
			fmt.Fprintln(f.progress, "ClickHouse engine: another process is fetching it; waiting")
			said = true
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func megabytes[N int64 | uint64](n N) string { return fmt.Sprintf("%d MB", n/1_000_000) }
