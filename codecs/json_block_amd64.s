#include "textflag.h"

// What find looks for, sixteen times each.
DATA quote<>+0(SB)/8, $0x2222222222222222
DATA quote<>+8(SB)/8, $0x2222222222222222
GLOBL quote<>(SB), RODATA|NOPTR, $16
DATA slash<>+0(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA slash<>+8(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL slash<>(SB), RODATA|NOPTR, $16
DATA unlike<>+0(SB)/8, $0x2626262626262626
DATA unlike<>+8(SB)/8, $0x2626262626262626
GLOBL unlike<>(SB), RODATA|NOPTR, $16
DATA small<>+0(SB)/8, $0x2020202020202020
DATA small<>+8(SB)/8, $0x2020202020202020
GLOBL small<>(SB), RODATA|NOPTR, $16
DATA like<>+0(SB)/8, $0x7f7f7f7f7f7f7f7f
DATA like<>+8(SB)/8, $0x7f7f7f7f7f7f7f7f
GLOBL like<>(SB), RODATA|NOPTR, $16

// GATHER puts into to a bit for each byte of X0 to X3 that equals the byte of c; it
// spoils X4 to X7 and R8 to R10.
#define GATHER(c, to) \
	MOVO     X0, X4      \
	MOVO     X1, X5      \
	MOVO     X2, X6      \
	MOVO     X3, X7      \
	PCMPEQB  c, X4       \
	PCMPEQB  c, X5       \
	PCMPEQB  c, X6       \
	PCMPEQB  c, X7       \
	PMOVMSKB X4, to      \
	PMOVMSKB X5, R8      \
	PMOVMSKB X6, R9      \
	PMOVMSKB X7, R10     \
	SHLQ     $16, R8     \
	SHLQ     $32, R9     \
	SHLQ     $48, R10    \
	ORQ      R8, to      \
	ORQ      R9, R10     \
	ORQ      R10, to

// func find(b *block, letter word8) (quotes, brackets, backslashes, letters uint64)
//
// SSE2 only, which every amd64 has.
TEXT ·find(SB), NOSPLIT, $0-48
	MOVQ       b+0(FP), SI
	MOVOU      0(SI), X0
	MOVOU      16(SI), X1
	MOVOU      32(SI), X2
	MOVOU      48(SI), X3
	MOVOU      quote<>(SB), X8
	MOVOU      slash<>(SB), X9
	MOVQ       letter+8(FP), X10
	PUNPCKLQDQ X10, X10
	MOVOU      small<>(SB), X11
	MOVOU      unlike<>(SB), X12
	MOVOU      like<>(SB), X13
	GATHER(X8, AX)
	MOVQ       AX, quotes+16(FP)
	GATHER(X9, BX)
	MOVQ       BX, backslashes+32(FP)
	POR        X11, X0
	POR        X11, X1
	POR        X11, X2
	POR        X11, X3
	GATHER(X10, CX)
	MOVQ       CX, letters+40(FP)
	POR        X12, X0
	POR        X12, X1
	POR        X12, X2
	POR        X12, X3
	GATHER(X13, DX)
	MOVQ       DX, brackets+24(FP)
	RET
