package journey

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"certsaas/core/coretest"
	"certsaas/core/coretest/program"
)

// TestUploadsInNeed uploads pictures to a program whose disk is full, that is killed meanwhile, whose database is killed, and
// that many slow lines keep busy. One program for all, not parallel.
func TestUploadsInNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the program")
	}
	p := program.Start(t, program.Options{})
	t.Run("slow lines", func(t *testing.T) { slowLines(t, town{p, t}) })
	t.Run("killed", func(t *testing.T) { killedUploads(t, town{p, t}) })
	t.Run("database killed", func(t *testing.T) { killedDatabase(t, town{p, t}) })
	t.Run("disk full", func(t *testing.T) { fullDisk(t, town{p, t}) })
	if log := p.Log(); strings.Contains(log, "panic") {
		t.Error(log)
	}
}

// draft opens a visitor's order, at its form.
func (w town) draft() *program.Visitor {
	w.t.Helper()
	v := w.NewVisitor(w.t)
	v.Open(w.URL("", "/createOrder?productCode=CERT272353")).Form("product").Press("立即办理")
	return v
}

// tile posts a picture as the tile's script does, its bytes as body gives them out; status and what was answered.
func tile(v *program.Visitor, name string, slow func(io.Reader) io.Reader, picture []byte) (int, string, error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, _ := form.CreateFormFile("file", name+".png") // into memory: never fails
	_, _ = part.Write(picture)
	_ = form.Close()
	address, err := v.URL.Parse("../files/" + name)
	if err != nil {
		return 0, "", err
	}
	length := int64(b.Len())
	req, err := http.NewRequest(http.MethodPost, address.String(), slow(&b))
	if err != nil {
		return 0, "", err
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("X-Requested-With", "fetch")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-CSRF-Token", v.Page.Find(`meta[name="csrf"]`).AttrOr("content", ""))
	c := *v.Client
	c.Timeout = 4 * time.Minute
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	return res.StatusCode, string(said), err
}

func atOnce(r io.Reader) io.Reader { return r }

// noise is a PNG picture of about so many bytes: colours that nothing can compress.
func noise(t *testing.T, size int) []byte {
	t.Helper()
	side := 1
	for side*side*3 < size-size/100 {
		side++
	}
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := 0; i < len(img.Pix); i += 4 {
		n := rand.Uint32()
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = byte(n), byte(n>>8), byte(n>>16), 255
	}
	img.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// killedUploads kills the server while a picture is on its way in, again and again: no row without its file, the applicant
// hands the picture in again, and what a crash left without a row goes within the hour (reliability U4).
func killedUploads(t *testing.T, w town) {
	v := w.draft()
	picture := program.Picture(t, "演示 断电")
	usual := 80 * time.Millisecond
	answered := 0
	for i := range coretest.Size(3, 100) {
		dead := make(chan error, 1)
		moment := time.Duration(rand.Int64N(int64(usual * 5 / 4)))
		stored := len(w.blobs())
		go func() {
			if i%2 == 0 { // every second time when its file appears: the row is still to come
				w.until(func() bool { return len(w.blobs()) > stored })
				moment /= 30
			}
			time.Sleep(moment)
			dead <- w.Kill()
		}()
		begin := time.Now()
		status, said, err := tile(v, "licence_image", atOnce, picture)
		switch {
		case err != nil:
		case status == http.StatusOK:
			answered++
			usual = (usual + time.Since(begin)) / 2
		default:
			t.Fatalf("upload %d: %d %s", i, status, said)
		}
		if err := errors.Join(<-dead, w.Launch()); err != nil {
			t.Fatal(err)
		}
		w.everyRowHasItsFile()
		if err == nil && !holds(v.Open(v.URL.String()), "licence_image") {
			t.Fatalf("upload %d was answered and is lost", i)
		}
		if i == 0 || rand.IntN(4) == 0 { // he tries again
			if status, said, err := tile(v.Open(v.URL.String()), "licence_image", atOnce, picture); err != nil || status != http.StatusOK {
				t.Fatalf("again: %d %s %v", status, said, err)
			}
		}
	}
	before, rows := len(w.blobs()), w.rows()
	w.age(2 * time.Hour) // as if the crashes had been then
	if err := w.Restart(); err != nil {
		t.Fatal(err)
	}
	w.await("orphans to go", func() bool { return len(w.blobs()) == rows })
	w.everyRowHasItsFile()
	t.Logf("%d of %d uploads were answered before the kill; %d files of which %d without a row are gone, %d stay", answered, coretest.Size(3, 100), before, before-rows, rows)
}

// await waits for something for a while.
func (w town) await(what string, there func() bool) {
	w.t.Helper()
	if !w.until(there) {
		w.t.Fatalf("waited in vain for %s", what)
	}
}

// until waits for something for a while, in small steps, and tells whether it came.
func (w town) until(there func() bool) bool {
	for end := time.Now().Add(20 * time.Second); !there(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// blobs are the files in the store, half ones among them.
func (w town) blobs() (out []string) {
	_ = filepath.WalkDir(filepath.Join(w.Dir, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() { // what vanishes meanwhile is not there
			out = append(out, path)
		}
		return nil
	})
	return out
}

func (w town) rows() (n int) {
	w.t.Helper()
	w.Row(w.t, []any{&n}, `SELECT count(*) FROM files`)
	return n
}

// everyRowHasItsFile compares rows and files.
func (w town) everyRowHasItsFile() {
	w.t.Helper()
	var keys []string
	w.Row(w.t, []any{&keys}, `SELECT coalesce(array_agg(blob_key), '{}') FROM files`)
	for _, key := range keys {
		if info, err := os.Stat(filepath.Join(w.Dir, "blobs", key)); err != nil || info.Size() == 0 {
			w.t.Fatalf("a row without its file: %v", err)
		}
	}
}

// age makes every file in the store older.
func (w town) age(by time.Duration) {
	w.t.Helper()
	then := time.Now().Add(-by)
	for _, path := range w.blobs() {
		if err := os.Chtimes(path, then, then); err != nil {
			w.t.Fatal(err)
		}
	}
}

// killedDatabase kills the program's private PostgreSQL under a visitor: the program itself lives on, starts it again, and the
// visitor goes on where he was (reliability F2).
func killedDatabase(t *testing.T, w town) {
	v := w.draft()
	v.Patient = true
	v.Form("agent_name").Set("agent_name", "孙演示").PressValue("_step", "refresh")
	self, old := w.PID(), w.postmaster()
	if err := w.KillDatabase(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	w.await("the database to be started again", func() bool {
		return w.postmaster() != old && w.postmaster() != 0 && v.Open(v.URL.String()).Status == http.StatusOK
	})
	t.Logf("served again after %s", time.Since(begin).Round(time.Millisecond))
	if got := v.Form("agent_name").Values.Get("agent_name"); got != "孙演示" {
		t.Errorf("the form holds %q", got)
	}
	if v.Open(w.URL("", "/livez")); v.Status != http.StatusOK || w.PID() != self {
		t.Errorf("the program did not live on: %d", v.Status)
	}
}

// postmaster is the process id of the private database, 0 while there is none.
func (w town) postmaster() int {
	pid, err := w.Postmaster()
	if err != nil {
		return 0
	}
	return pid
}

// fullDisk hands a picture in while the disk of the files is really full: the applicant is told at the field, with the
// tile's script and without, nothing he typed is lost, nothing half stays; then there is space, and the same picture is taken.
func fullDisk(t *testing.T, w town) {
	dir := filepath.Join(w.Dir, "blobs")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k,mode=700"); err != nil {
		t.Skipf("this user may not mount a file system: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 480<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	const sentence = "图片暂时无法保存，请稍后再试。"
	picture := program.Picture(t, "演示 磁盘已满")
	v := w.draft()
	v.Patient = true
	before := w.rows()
	v.Form("agent_name").Set("agent_name", "孙演示").Attach("licence_image_file", program.File{Name: "l.jpg", Data: picture}).PressValue("_step", "refresh")
	if v.Status != http.StatusServiceUnavailable || !strings.Contains(v.Page.Find("[data-field=licence_image] .field-error").Text(), sentence) {
		t.Errorf("without scripts: %d, at the field %q", v.Status, v.Page.Find("[data-field=licence_image] .field-error").Text())
	}
	if got := v.Form("agent_name").Values.Get("agent_name"); got != "孙演示" {
		t.Errorf("what was typed: %q", got)
	}
	status, said, err := tile(v, "licence_image", atOnce, picture)
	if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(said, sentence) || !strings.Contains(said, `"licence_image"`) {
		t.Errorf("the tile: %d %s %v", status, said, err)
	}
	if files := w.blobs(); len(files) != 1 || w.rows() != before {
		t.Errorf("%d rows more, files %v", w.rows()-before, files)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	v.Form("agent_name").Attach("licence_image_file", program.File{Name: "l.jpg", Data: picture}).PressValue("_step", "refresh")
	if v.Status != http.StatusOK || !holds(v, "licence_image") || w.rows() != before+1 {
		t.Errorf("with space again: %d, %d rows more", v.Status, w.rows()-before)
	}
}
