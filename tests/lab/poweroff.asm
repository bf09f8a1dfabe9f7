; poweroff: a guest of one boot sector that powers itself off by ACPI once sector 2 of its disk begins with 'Q'.
; nasm -f bin poweroff.asm
org 0x7c00
bits 16
	cli
	xor ax, ax
	mov ds, ax
	mov ss, ax
	mov sp, 0x7c00
	sti
	mov [drive], dl
again:	mov bx, 4
tick:	mov ax, [0x46c]
wait_tick:
	hlt
	cmp ax, [0x46c]
	je wait_tick
	dec bx
	jnz tick
	mov ah, 0x42
	mov dl, [drive]
	mov si, packet
	int 0x13
	cmp byte [buffer], 'Q'
	jne again
	mov dx, 0x604		; PM1a control of QEMU's i440fx as SeaBIOS places it
	mov ax, 0x2000		; sleep enable, type 0 = soft off
	out dx, ax
	hlt
drive	db 0
	align 4
packet	db 16, 0
	dw 1, buffer, 0
	dq 2
	times 510 - ($ - $$) db 0
	dw 0xaa55
buffer	equ 0x8000
