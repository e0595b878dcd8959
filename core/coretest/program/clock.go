package program

import (
	"fmt"
	"time"
)

// Now is the time where the program lives: this machine's, and as far ahead as it was moved.
func (p *Program) Now() time.Time { return time.Now().Add(p.ahead) }

// Move starts the program anew over the same data at another time, from where its clock goes on. Time never goes back.
func (p *Program) Move(to time.Time) error {
	ahead := time.Until(to)
	if ahead < p.ahead {
		return fmt.Errorf("program: %s has passed where it lives", to)
	}
	if err := p.Stop(); err != nil {
		return err
	}
	p.ahead = ahead.Truncate(time.Second)
	return p.Launch()
}
