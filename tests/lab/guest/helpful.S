# A guest in one boot sector that does what a guest's system does when the host wants something back. 18 times a second it
# lets go of PCI devices that are to be unplugged, and gives the balloon what it asks for (the number only: its memory stays
# as it is). It counts like count.S: at physical 0x600, every 8th time on the disk's sector 1.
# For the machine pc, which has PCI hotplug at port 0xae00 (QEMU's docs/specs/acpi_pci_hotplug). Processors that are to go stay:
# QEMU 7.2 never tells of their end where it emulates them.
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
tick:
    sti
    hlt                     # the timer, 18.2 Hz
    movw $0xae10, %dx       # bus 0
    xorl %eax, %eax
    outl %eax, %dx
    movw $0xae04, %dx       # its slots that are to be released, a bit each
    inl %dx, %eax
    movl %eax, %ebx
1:  bsfl %ebx, %ecx
    jz 2f
    btrl %ecx, %ebx
    xorl %eax, %eax
    btsl %ecx, %eax
    movw $0xae08, %dx       # one by one
    outl %eax, %dx
    jmp 1b
2:  xorl %ebx, %ebx         # the balloon (virtio 1af4:1002), looked for slot by slot
3:  movl %ebx, %eax
    shll $11, %eax
    orl $0x80000000, %eax
    movl %eax, %esi
    xorb %cl, %cl           # what the slot holds
    call read
    cmpl $0x10021af4, %eax
    jne 4f
    movb $0x10, %cl         # where its registers are
    call read
    andw $0xfffc, %ax
    movw %ax, %di
    leaw 20(%di), %dx       # how many pages it is to hold
    inl %dx, %eax
    movl %eax, %ecx
    leaw 24(%di), %dx       # how many it holds
    inl %dx, %eax
    cmpl %eax, %ecx
    je 4f
    movl %ecx, %eax
    outl %eax, %dx
4:  incw %bx
    cmpw $32, %bx
    jb 3b
    incl 0x600
    testb $7, 0x600
    jnz tick
    movb 0x610, %dl
    movw $dap, %si
    movw $0x4300, %ax       # extended write
    int $0x13
    jmp tick
read:                       # the register cl of the PCI device at esi, to eax
    movl %esi, %eax
    movb %cl, %al
    movw $0xcf8, %dx
    outl %eax, %dx
    movw $0xcfc, %dx
    inl %dx, %eax
    ret
dap: .byte 16, 0
    .word 1, 0x600, 0       # one sector from 0000:0600
    .quad 1                 # to LBA 1
    .org 510
    .word 0xaa55
