; witness: a guest of one boot sector that keeps on its own disk the proof of who ran it, and how often.
;
; nasm -f bin -DTICKS=9 witness.asm   (the PC's clock ticks 18.2 times a second: 9 = two writes a second)
;
; LBA 1 holds one record, little endian:
;   0  'HAMN'
;   4  u32 boots        starts of this disk, ever
;   8  u64 nonce        drawn at each start: time stamp counter and the clock's time of day
;   16 u32 sequence     writes since this start
;   20 u32 violations   times that a running guest found another's nonce here; never reset, so one
;                       double run at any time in the past stays visible for ever
;   24 u32 errors       disk operations that failed and were tried again
; LBA 2 and up: one sector a start, the record as it stood when that start had drawn its nonce.
;
; A guest reads the record before each write. Only it and its disk's other writers change the nonce, so
; a foreign nonce means that two machines run from one disk.

org 0x7c00
bits 16

%ifndef TICKS
%define TICKS 9
%endif

boots		equ rec + 4
nonce		equ rec + 8
sequence	equ rec + 16
violations	equ rec + 20
errors		equ rec + 24

start:
	cli
	xor ax, ax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov sp, 0x7c00
	cld
	sti
	mov [drive], dl

	mov di, rec			; what was here before, or zeroes on a new disk
	mov cx, 512
	rep stosw
	mov word [packet.buffer], rec
	call disk_read
	mov dword [rec], 'HAMN'
	inc dword [boots]
	rdtsc
	mov [nonce], eax
	mov ah, 2			; the battery clock: hours, minutes, seconds
	int 0x1a
	mov [nonce + 4], cx
	mov [nonce + 6], dx
	and dword [sequence], 0
	mov eax, [boots]		; this start's own sector, once
	inc eax
	mov [packet.sector], eax
	call disk_write
	mov dword [packet.sector], 1
	call disk_write
	mov si, hello
	call print

beat:
	mov bx, TICKS
.tick:	mov ax, [0x46c]
.wait:	hlt
	cmp ax, [0x46c]
	je .wait
	dec bx
	jnz .tick

	mov word [packet.buffer], found
	call disk_read
	mov si, found + 8
	mov di, nonce
	mov cx, 4
	repe cmpsw
	je .mine
	mov eax, [found + 20]		; keep the larger count of the two, and add this one
	cmp eax, [violations]
	jb .seen
	mov [violations], eax
.seen:	inc dword [violations]
	mov si, foreign
	call print
.mine:	inc dword [sequence]
	mov word [packet.buffer], rec
	call disk_write
	mov si, dot
	call print
	jmp beat

disk_read:
	mov ax, 0x4200
	jmp disk
disk_write:
	mov ax, 0x4300
disk:
	push ax
	mov dl, [drive]
	mov si, packet
	int 0x13
	pop ax
	jnc print.done
	inc dword [errors]
	hlt
	jmp disk

print:	lodsb
	test al, al
	jz .done
	mov dx, 0x3f8
	out dx, al
	jmp print
.done:	ret

hello	db 'BOOT', 10, 0
foreign	db 'V', 0
dot	db '.', 0
drive	db 0
	align 4
packet:	db 16, 0
	dw 1
.buffer:	dw rec, 0
.sector:	dd 1, 0

	times 510 - ($ - $$) db 0
	dw 0xaa55

rec	equ 0x7e00
found	equ 0x8000
