# A guest in one boot sector.  18 times a second it adds one to the 32-bit
# counter at physical 0x600, writes it to COM1 as eight hex digits and a newline,
# and every 8th time stores it on the disk's sector 1 (BIOS int 13h).
# With -DDIRTY it instead keeps rewriting every page from 1 MiB up to
# 1 MiB + DIRTY (bytes) and prints once per 1024 rounds: memory that never rests.
# -DDELAY=n makes that a slow walk (n empty loops per page, a line per round).
# The counting guest turns itself off when its ACPI power button is pressed, unless
# it is built with -DSTUBBORN.  (Where SeaBIOS puts the power management registers
# on the machines pc and q35: status 0x600, enable 0x602, control 0x604.)
    .code16
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    movb %dl, 0x610
    movl $0, 0x600
    # COM1: 115200 8n1, no interrupts
    movw $0x3fb, %dx ; movb $0x80, %al ; outb %al, %dx
    movw $0x3f8, %dx ; movb $1, %al    ; outb %al, %dx
    movw $0x3f9, %dx ; xorb %al, %al   ; outb %al, %dx
    movw $0x3fb, %dx ; movb $3, %al    ; outb %al, %dx
#ifdef DIRTY
    lgdt gdtr
    movl %cr0, %eax ; orb $1, %al ; movl %eax, %cr0
    ljmpl $8, $pm
    .code32
pm: movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $0x7c00, %esp
    inb $0x92, %al ; orb $2, %al ; outb %al, $0x92   # A20
round:
    incl 0x600
    movl 0x600, %eax
    movl $0x100000, %edi
1:  movl %eax, (%edi)
#ifdef DELAY
    movl $DELAY, %ecx
5:  loop 5b
#endif
    addl $4096, %edi
    cmpl $(0x100000 + DIRTY), %edi
    jb 1b
#ifndef DELAY
    testl $0x3ff, %eax
    jnz round
#endif
    movl %eax, %ebx
    movl $8, %ecx
2:  roll $4, %ebx
    movb %bl, %al ; andb $15, %al ; addb $'0', %al
    cmpb $'9', %al ; jbe 3f ; addb $39, %al
3:  call putc
    loop 2b
    movb $10, %al
    call putc
    jmp round
putc:
    movb %al, %ah
    movw $0x3fd, %dx
4:  inb %dx, %al ; testb $0x20, %al ; jz 4b
    movb %ah, %al
    movw $0x3f8, %dx ; outb %al, %dx
    ret
    .align 8
gdt: .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr: .word 23
    .long gdt
#else
#ifndef STUBBORN
    movw $0x602, %dx
    movw $0x100, %ax        # power button enabled
    outw %ax, %dx
#endif
tick:
    sti
    hlt                     # the timer, 18.2 Hz
#ifndef STUBBORN
    movw $0x600, %dx
    inw %dx, %ax
    testb $1, %ah           # power button pressed: enter S5
    jz 6f
    movw $0x604, %dx
    movw $0x2000, %ax
    outw %ax, %dx
6:
#endif
    incl 0x600
    movl 0x600, %ebx
    movw $8, %cx
2:  roll $4, %ebx
    movb %bl, %al ; andb $15, %al ; addb $'0', %al
    cmpb $'9', %al ; jbe 3f ; addb $39, %al
3:  call putc
    loop 2b
    movb $10, %al
    call putc
    testb $7, 0x600
    jnz tick
    movb 0x610, %dl
    movw $dap, %si
    movw $0x4300, %ax       # extended write
    int $0x13
    jmp tick
putc:
    movb %al, %ah
    movw $0x3fd, %dx
4:  inb %dx, %al ; testb $0x20, %al ; jz 4b
    movb %ah, %al
    movw $0x3f8, %dx ; outb %al, %dx
    ret
dap: .byte 16, 0
    .word 1, 0x600, 0       # one sector from 0000:0600
    .quad 1                 # to LBA 1
#endif
    .org 510
    .word 0xaa55
