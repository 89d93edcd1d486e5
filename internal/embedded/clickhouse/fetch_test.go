package clickhouse

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakePackage writes an npm package with the given library inside.
func fakePackage(dir, library string) (string, error) {
	name := filepath.Join(dir, "lib.tgz")
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	for file, text := range map[string]string{"package/package.json": "{}", "package/libchdb.so": library} {
		if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return "", err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return "", err
		}
	}
	return name, errors.Join(w.Close(), z.Close(), f.Close())
}

const fakeLibrary = "the engine"

func fakeFetcher(t *testing.T, progress *strings.Builder) *fetcher {
	sum := sha256.Sum256([]byte(fakeLibrary))
	return &fetcher{
		cache: filepath.Join(t.TempDir(), "cache"), progress: progress,
		pack: func(_ context.Context, dir string) (string, error) { return fakePackage(dir, fakeLibrary) },
		free: func(string) (uint64, error) { return 100, nil }, need: 100,
		size: int64(len(fakeLibrary)), sum: hex.EncodeToString(sum[:]), every: time.Hour,
	}
}

func entries(t *testing.T, dir string) string {
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestFetch(t *testing.T) {
	const done = "fetch.lock libchdb-26.7.3.so"
	t.Run("unpacks the library into the cache, and does so once", func(t *testing.T) {
		var progress strings.Builder
		f := fakeFetcher(t, &progress)
		path, err := f.fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != fakeLibrary {
			t.Errorf("the library is %q", got)
		}
		if got := entries(t, f.cache); got != done {
			t.Errorf("the cache holds %s", got)
		}
		if !strings.Contains(progress.String(), "fetching") || !strings.Contains(progress.String(), "ready") {
			t.Errorf("progress: %s", progress.String())
		}
		f.pack = func(context.Context, string) (string, error) { return "", errors.New("asked again") }
		if _, err := f.fetch(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("says how far it is while npm runs", func(t *testing.T) {
		var progress strings.Builder
		f := fakeFetcher(t, &progress)
		f.every = time.Millisecond
		watched := make(chan struct{})
		var once sync.Once
		f.progress = writerFunc(func(b []byte) {
			progress.Write(b)
			if strings.Contains(string(b), "fetched 3 MB of 177 MB") {
				once.Do(func() { close(watched) })
			}
		})
		pack := f.pack
		f.pack = func(ctx context.Context, dir string) (string, error) {
			if err := os.MkdirAll(filepath.Join(dir, "npm-cache", "tmp"), 0o755); err != nil {
				return "", err
			}
			part := filepath.Join(dir, "npm-cache", "tmp", "part")
			if err := os.WriteFile(part, make([]byte, 3_000_000), 0o644); err != nil {
				return "", err
			}
			<-watched
			return pack(ctx, dir)
		}
		if _, err := f.fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("of several at once, one fetches", func(t *testing.T) {
		var progress strings.Builder
		f := fakeFetcher(t, &progress)
		f.progress = writerFunc(func([]byte) {})
		var packs atomic.Int32
		pack := f.pack
		f.pack = func(ctx context.Context, dir string) (string, error) {
			packs.Add(1)
			return pack(ctx, dir)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := f.fetch(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := packs.Load(); n != 1 {
			t.Errorf("%d fetched", n)
		}
	})
	t.Run("what a killed fetch left is removed", func(t *testing.T) {
		f := fakeFetcher(t, &strings.Builder{})
		if err := os.MkdirAll(filepath.Join(f.cache, "fetch-123", "npm-cache"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(f.cache, "libchdb-26.7.3.so"), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := f.fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := entries(t, f.cache); got != done {
			t.Errorf("the cache holds %s", got)
		}
	})
	for _, c := range []struct {
		outcome string
		break_  func(*fetcher)
		want    []string
	}{
		{"another checksum is refused", func(f *fetcher) {
			f.pack = func(_ context.Context, dir string) (string, error) { return fakePackage(dir, "the enginf") }
		}, []string{"SHA-256", "damaged or replaced", "--store memory"}},
		{"a package without the library is refused", func(f *fetcher) {
			f.pack = func(_ context.Context, dir string) (string, error) {
				name, err := fakePackage(dir, fakeLibrary)
				if err != nil {
					return "", err
				}
				return name, os.Truncate(name, 30)
			}
		}, []string{"unpack"}},
		{"too little room is said before the download", func(f *fetcher) {
			f.need = 1_000_000_000
			f.pack = func(context.Context, string) (string, error) { return "", errors.New("downloaded all the same") }
		}, []string{"has 0 MB free and 1000 MB are needed", CacheEnv, "--store memory"}},
		{"a failing npm is quoted", func(f *fetcher) {
			f.pack = func(context.Context, string) (string, error) { return "", errors.New("E404 not found") }
		}, []string{"E404 not found"}},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			f := fakeFetcher(t, &strings.Builder{})
			c.break_(f)
			_, err := f.fetch(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if got := entries(t, f.cache); got != "fetch.lock" {
				t.Errorf("the cache holds %s", got)
			}
		})
	}
	t.Run("without npm the error says what to do", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := npmPack(t.Context(), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), "install npm") || !strings.Contains(err.Error(), "--store memory") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a path that is named is taken, and must exist", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "mine.so")
		t.Setenv(LibraryEnv, name)
		if _, err := Library(t.Context(), LibraryOptions{}); err == nil || !strings.Contains(err.Error(), LibraryEnv) {
			t.Errorf("got %v", err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := Library(t.Context(), LibraryOptions{}); err != nil || got != name {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

type writerFunc func([]byte)

func (w writerFunc) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}
