package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// workDir is where built programs and the locks of this user lie.
func workDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("certsaas-program-%d", os.Geteuid()))
}

// build makes certsaas and keyagent once per test binary; test binaries at the same time wait for one another. A program
// that is up to date is not linked again.
var build = sync.OnceValues(func() (string, error) {
	_, self, _, ok := runtime.Caller(0)
	if !ok {
		return "", fmt.Errorf("program: where am I")
	}
	root := filepath.Join(filepath.Dir(self), "..", "..", "..")
	lock, err := lockFile("build")
	if err != nil {
		return "", err
	}
	defer lock.Close()
	bin := filepath.Join(workDir(), "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", fmt.Errorf("program: %w", err)
	}
	cmd := exec.Command("go", "build", "-o", bin+"/", ".", "./keyagent")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("program: go build: %w\n%s", err, out)
	}
	return bin, nil
})

// lockFile waits for an exclusive lock; the kernel drops it when the file is closed or this process ends.
func lockFile(name string) (*os.File, error) {
	if err := os.MkdirAll(workDir(), 0o755); err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(workDir(), name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("program: lock %s: %w", name, err)
	}
	return f, nil
}
