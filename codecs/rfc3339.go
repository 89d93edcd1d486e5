package codecs

// parseRFC3339 reads an RFC 3339 date-time as Unix milliseconds, without
// allocating. As the RFC allows, T and Z may be small and T a space. What is
// less than a millisecond is cut off towards the past. Leap seconds are
// refused, as by package time, and so is a time without a zone.
func parseRFC3339(b []byte) (ms int64, ok bool) {
	// 2006-01-02T15:04:05.999+07:00
	if len(b) < len("2006-01-02T15:04:05Z") {
		return 0, false
	}
	century, year := twoDigits(b, 0), twoDigits(b, 2)
	month, day := twoDigits(b, 5), twoDigits(b, 8)
	hour, minute, second := twoDigits(b, 11), twoDigits(b, 14), twoDigits(b, 17)
	if b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' && b[10] != ' ' || b[13] != ':' || b[16] != ':' ||
		century < 0 || year < 0 || uint(hour) > 23 || uint(minute) > 59 || uint(second) > 59 {
		return 0, false
	}
	year += 100 * century
	if uint(month-1) > 11 || uint(day-1) >= uint(daysIn(year, month)) {
		return 0, false
	}
	b = b[len("2006-01-02T15:04:05"):]

	var fraction int64
	if b[0] == '.' {
		n, weight := 1, int64(100)
		for ; n < len(b) && b[n]-'0' <= 9; n++ {
			fraction += weight * int64(b[n]-'0')
			weight /= 10
		}
		if n == 1 {
			return 0, false
		}
		b = b[n:]
	}

	offset, ok := zoneOffset(b)
	if !ok {
		return 0, false
	}
	s := int64(daysFrom1970(year, month, day))*86400 + int64(hour*3600+minute*60+second-offset)
	return s*1000 + fraction, true
}

// zoneOffset reads Z or ±hh:mm as seconds east of UTC.
func zoneOffset(b []byte) (s int, ok bool) {
	if len(b) == 1 {
		return 0, b[0]|0x20 == 'z'
	}
	if len(b) != len("+07:00") || b[0] != '+' && b[0] != '-' || b[3] != ':' {
		return 0, false
	}
	hour, minute := twoDigits(b, 1), twoDigits(b, 4)
	if uint(hour) > 23 || uint(minute) > 59 {
		return 0, false
	}
	s = hour*3600 + minute*60
	if b[0] == '-' {
		s = -s
	}
	return s, true
}

// twoDigits is the number at b[i] and b[i+1], or -1.
func twoDigits(b []byte, i int) int {
	x, y := b[i]-'0', b[i+1]-'0'
	if x > 9 || y > 9 {
		return -1
	}
	return int(x)*10 + int(y)
}

func daysIn(year, month int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return int("\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"[month-1])
}

// daysFrom1970 counts days of the Gregorian calendar. Years are taken to begin
// in March, so that a leap day comes last, and are counted from -1200 so that
// nothing is negative.
func daysFrom1970(year, month, day int) int {
	year += 1200
	month -= 3
	if month < 0 {
		month += 12
		year--
	}
	days := year*365 + year/4 - year/100 + year/400 + (month*153+2)/5 + day - 1
	return days - daysBefore1970
}

// daysBefore1970 is the number of days from 1 March -1200 to 1 January 1970.
const daysBefore1970 = 3169*365 + 3169/4 - 3169/100 + 3169/400 + (10*153+2)/5
