package main

type results []result

func (l results) rates() (v []float64) {
	for _, r := range l {
		v = append(v, r.rate())
	}
	return v
}

func (l results) costs() (v []float64) {
	for _, r := range l {
		v = append(v, r.cost())
	}
	return v
}

func (l results) opened() (v []float64) {
	for _, r := range l {
		v = append(v, r.Opened.Seconds())
	}
	return v
}

func (l results) idles() (v []float64) {
	for _, r := range l {
		v = append(v, r.Idle)
	}
	return v
}

// over divides the values of each round by those of others in the same round.
func over(v, others []float64) (ratios []float64) {
	for i := range v {
		ratios = append(ratios, v[i]/others[i])
	}
	return ratios
}
