package wire

import (
	"encoding/json"
	"testing"
	"time"
)

func TestTime(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	tests := []struct {
		name string
		in   Time
		want string
	}{
		{"UTC with milliseconds", At(time.Date(2026, 11, 5, 9, 30, 0, 123_456_789, zone)), `"2026-11-05T07:30:00.123Z"`},
		{"whole second", At(time.Date(2026, 11, 5, 9, 30, 0, 0, time.UTC)), `"2026-11-05T09:30:00.000Z"`},
		{"zero", Time{}, `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := json.Marshal(tt.in)
			if err != nil || string(data) != tt.want {
				t.Fatalf("%s, %v, want %s", data, err, tt.want)
			}
			var back Time
			if err := json.Unmarshal(data, &back); err != nil || !back.Equal(tt.in.Truncate(time.Millisecond)) {
				t.Errorf("read back as %v, %v", back, err)
			}
		})
	}
	var back Time
	for in, ok := range map[string]bool{`"2026-11-05T09:30:00+02:00"`: true, `"yesterday"`: false, `7`: false, `null`: true} {
		if err := json.Unmarshal([]byte(in), &back); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestMillis(t *testing.T) {
	for in, want := range map[time.Duration]string{0: "0", 1500 * time.Microsecond: "1.5", 2 * time.Second: "2000", 999 * time.Nanosecond: "0", -time.Millisecond: "-1"} {
		data, err := json.Marshal(Millis(in))
		if err != nil || string(data) != want {
			t.Errorf("%v: %s, %v, want %s", in, data, err, want)
		}
		var back Millis
		if err := json.Unmarshal(data, &back); err != nil || time.Duration(back) != in.Truncate(time.Microsecond) {
			t.Errorf("%v: read back as %v, %v", in, time.Duration(back), err)
		}
	}
}
